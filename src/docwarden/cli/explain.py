"""`docwarden explain ID`: what the gateway does with one document, attempt by attempt."""

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from docwarden.cli.main import complain, put
from docwarden.gateway.public_site import DOCUMENT_PATH
from docwarden.settings.loading import SettingError, load
from docwarden.settings.settings import Settings

if TYPE_CHECKING:
    from docwarden.explaining.explanation import Explanation

WOULD_DELIVER, WOULD_REFUSE = 0, 1
"""Exit statuses; 2 is wrong usage."""

_GATEWAY: Final = re.compile(r"https?://[^/?#@\s]+/?")
NOT_AN_ID: Final = "is not a document id: 1 to 19 decimal digits without leading zeros"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options; everything else is a DOCWARDEN_ variable."""
    parser.description = (
        "Fetch and verify a document as the gateway does, and show the result of each attempt."
        " Needs no running gateway, and delivers nothing; --gateway asks one that runs."
    )
    parser.epilog = (
        "Exit status: 0 a client would get the document, 1 it would not, 2 wrong usage or an"
        " output that cannot be written."
    )
    parser.add_argument("document_id", metavar="ID", type=_document_id, help="decimal digits")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--upstream-url", metavar="URL", help="overrides DOCWARDEN_UPSTREAM_URL")
    where.add_argument(
        "--gateway", metavar="URL", type=_gateway,
        help="ask the gateway with this operator listener, such as http://127.0.0.1:8081",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--save", type=Path, metavar="FILE", help="save the last body received")
    parser.add_argument("--force", action="store_true", help="let --save overwrite a file")


def _document_id(text: str) -> str:
    if DOCUMENT_PATH.fullmatch(f"/{text}") is None:
        raise argparse.ArgumentTypeError(f"{text!r} {NOT_AN_ID}")
    return text


def _gateway(text: str) -> str:
    if _GATEWAY.fullmatch(text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL such as http://127.0.0.1:8081")
    return text.rstrip("/")


def run(arguments: argparse.Namespace) -> int:
    """Explain one document; return 0 when a client would get it, 1 when not, 2 for wrong usage."""
    if arguments.gateway is not None:
        return _ask(arguments)
    url = arguments.upstream_url
    try:
        settings = load({} if url is None else {"upstream_url": url})
    except SettingError as error:
        return complain(str(error))
    if sys.stdout is None:
        return complain("standard output is closed")
    target: Path | None = arguments.save
    why = None if target is None else _unfit(target, force=arguments.force)
    if why is not None:
        return complain(f"cannot save to {str(target)!r}: {why}")
    return _fetch(settings, arguments)


def _fetch(settings: Settings, arguments: argparse.Namespace) -> int:
    """Fetch as a gateway of these settings would; return as `run` does."""
    from docwarden.integrity.deep.process import WorkerFailedError  # noqa: PLC0415 - see below

    try:
        explanation = _explain(settings, arguments.document_id, as_json=arguments.json)
    except WorkerFailedError as error:
        return complain(str(error))
    if arguments.save is not None:
        try:
            _save(arguments.save, explanation.body, force=arguments.force)
        except OSError as error:
            return complain(f"cannot save to {str(arguments.save)!r}: {error.strerror or error}")
    return WOULD_DELIVER if explanation.failure is None else WOULD_REFUSE


def _ask(arguments: argparse.Namespace) -> int:
    """Print the report of a running gateway; return as `run` does."""
    from docwarden.cli import explain_gateway, explain_report  # noqa: PLC0415 - see below

    if arguments.save is not None:
        return complain("--save: a gateway explains a document, but does not send it")
    try:
        report = explain_gateway.ask(arguments.gateway, arguments.document_id)
    except explain_gateway.ExplainError as error:
        return complain(str(error))
    if arguments.json:
        put(explain_report.as_json(report))
    else:
        lines = explain_report.Lines()
        put(lines.heading(arguments.document_id, f"the gateway at {arguments.gateway}"))
        for attempt in report["attempts"]:
            put(lines.attempt(attempt))
        put(lines.conclusion(report["client"]))
    return WOULD_DELIVER if report["client"]["problem"] is None else WOULD_REFUSE


def _explain(settings: Settings, document_id: str, *, as_json: bool) -> "Explanation":
    """Fetch the document and print the result; for people, each attempt as it ends."""
    # The reference pages and the shell completion import this module for its options alone.
    import uvloop  # noqa: PLC0415 - see above

    from docwarden.cli import explain_report  # noqa: PLC0415 - see above
    from docwarden.explaining.fetch import explain  # noqa: PLC0415 - see above
    from docwarden.explaining.report import attempt_report, report  # noqa: PLC0415 - see above

    if as_json:
        explanation = uvloop.run(explain(settings, document_id))
        put(explain_report.as_json(report(explanation)))
        return explanation
    lines = explain_report.Lines()
    put(lines.heading(document_id, settings.upstream_url))
    explanation = uvloop.run(
        explain(settings, document_id, lambda attempt: put(lines.attempt(attempt_report(attempt))))
    )
    put(lines.conclusion(report(explanation)["client"]))
    return explanation


def _unfit(target: Path, *, force: bool) -> str | None:
    """Return why nothing can be saved there, or None; checked before the fetch."""
    try:
        if not target.parent.is_dir():
            return "its folder does not exist"
        if target.is_symlink() or (target.exists() and not target.is_file()):
            return "it is not a regular file"
        if target.exists() and not force:
            return "it exists; use --force to overwrite it"
    except (OSError, ValueError) as error:
        return str(error)
    return None


def _save(target: Path, body: bytes | bytearray | None, *, force: bool) -> None:
    """Write a body, readable by its owner alone, whole or not at all.

    Raises:
        OSError: it cannot be written, or exists by now.
    """
    if body is None:
        complain(f"nothing to save to {str(target)!r}: no body was received")
        return
    with tempfile.TemporaryDirectory(prefix=".docwarden-", dir=target.parent) as folder:
        written = Path(folder, "body")
        written.touch(mode=0o600)
        written.write_bytes(body)
        if force:
            written.replace(target)
        else:
            os.link(written, target)
