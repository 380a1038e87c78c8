"""`docwarden explain ID`: what the gateway makes of one document, attempt by attempt."""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from docwarden.cli.main import complain, put
from docwarden.gateway.public_site import DOCUMENT_PATH
from docwarden.settings.settings import SettingError, Settings, load

if TYPE_CHECKING:
    from docwarden.cli.explain_fetch import Explanation

WOULD_DELIVER, WOULD_REFUSE = 0, 1
"""Exit statuses; 2 is wrong usage."""

NOT_AN_ID: Final = "is no document id: 1 to 19 decimal digits without leading zeros"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options; everything else is a DOCWARDEN_ variable."""
    parser.description = (
        "Fetch and verify a document as the gateway does, and tell what each attempt brought."
        " Needs no running gateway, and delivers nothing."
    )
    parser.epilog = (
        "Exit status: 0 a client would get the document, 1 it would not, 2 wrong usage, or an"
        " output that cannot be written."
    )
    parser.add_argument("document_id", metavar="ID", type=_document_id, help="decimal digits")
    parser.add_argument("--upstream-url", metavar="URL", help="overrides DOCWARDEN_UPSTREAM_URL")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="keep the bytes of the last body that came"
    )
    parser.add_argument("--force", action="store_true", help="let --save replace a file")


def _document_id(text: str) -> str:
    if DOCUMENT_PATH.fullmatch(f"/{text}") is None:
        raise argparse.ArgumentTypeError(f"{text!r} {NOT_AN_ID}")
    return text


def run(arguments: argparse.Namespace) -> int:
    """Explain one document; return 0 when a client would get it, 1 when not, 2 for wrong usage."""
    from docwarden.integrity.deep.process import WorkerFailedError  # noqa: PLC0415 - see below

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
    try:
        explanation = _explain(settings, arguments.document_id, as_json=arguments.json)
    except WorkerFailedError as error:
        return complain(str(error))
    if target is not None:
        try:
            _save(target, explanation.body, force=arguments.force)
        except OSError as error:
            return complain(f"cannot save to {str(target)!r}: {error.strerror or error}")
    return WOULD_DELIVER if explanation.failure is None else WOULD_REFUSE


def _explain(settings: Settings, document_id: str, *, as_json: bool) -> "Explanation":
    """Fetch the document and print what comes of it; for people, each attempt as it ends."""
    # The reference pages and the shell completion import this module for its options alone.
    import uvloop  # noqa: PLC0415 - see above

    from docwarden.cli import explain_fetch, explain_report  # noqa: PLC0415 - see above

    if as_json:
        explanation = uvloop.run(explain_fetch.explain(settings, document_id, lambda _: None))
        put(explain_report.as_json(explanation))
        return explanation
    lines = explain_report.Lines()
    put(lines.heading(document_id, settings.upstream_url))
    explanation = uvloop.run(
        explain_fetch.explain(settings, document_id, lambda attempt: put(lines.attempt(attempt)))
    )
    put(lines.conclusion(explanation))
    return explanation


def _unfit(target: Path, *, force: bool) -> str | None:
    """Return why nothing is to be saved there, if so; better known before the fetch."""
    try:
        if not target.parent.is_dir():
            return "its folder does not exist"
        if target.is_symlink() or (target.exists() and not target.is_file()):
            return "it is no regular file"
        if target.exists() and not force:
            return "it exists; --force would replace it"
    except (OSError, ValueError) as error:
        return str(error)
    return None


def _save(target: Path, body: bytes | bytearray | None, *, force: bool) -> None:
    """Write a body, readable by its owner alone, whole or not at all.

    Raises:
        OSError: it cannot be written, or has come to exist meanwhile.
    """
    if body is None:
        complain(f"nothing to save to {str(target)!r}: no body came")
        return
    with tempfile.TemporaryDirectory(prefix=".docwarden-", dir=target.parent) as folder:
        written = Path(folder, "body")
        written.touch(mode=0o600)
        written.write_bytes(body)
        if force:
            written.replace(target)
        else:
            os.link(written, target)
