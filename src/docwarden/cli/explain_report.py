"""What `docwarden explain` prints: lines for people, or one JSON object for programs."""

import io
import sys
from typing import Any, Final

import orjson
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from docwarden.cli.explain_fetch import Attempted, Explanation
from docwarden.integrity.checks import Mode
from docwarden.integrity.verdict import Finding

COLUMNS: Final = 100
"""Of an output that is no terminal."""
_OK: Final = 200


class Lines:
    """Writes each part as text, with colour where the output is a terminal."""

    def __init__(self) -> None:
        terminal = sys.stdout.isatty()
        self._written = io.StringIO()
        self._console = Console(
            file=self._written,
            force_terminal=terminal,
            width=Console().width if terminal else COLUMNS,
            highlight=False,
        )

    def heading(self, document_id: str, upstream_url: str) -> str:
        """Return what is asked for."""
        return self._line(Text(f"document {document_id} of {upstream_url}"))

    def attempt(self, attempt: Attempted) -> str:
        """Return what one attempt brought."""
        failure = attempt.failure
        head = Text(f"attempt {attempt.number}  ")
        head.append(_result(attempt), "green" if failure is None else "bold red")
        lines = [self._line(head), self._line(Text(_facts(attempt)), 2)]
        lines += [self._line(_finding(*each), 2) for each in attempt.findings]
        return "".join(lines)

    def conclusion(self, explanation: Explanation) -> str:
        """Return what a client would get."""
        made = len(explanation.attempts)
        after = f" after {made} attempt{'' if made == 1 else 's'}"
        failure = explanation.failure
        line = Text("a client would get ")
        if failure is None:
            line.append(f"{_OK} {explanation.media_type}", "green")
        else:
            rule = failure.rule
            line.append(f"{rule.status} {rule.slug}", "bold red")
            line.append(f" (reason {failure.reason})")
        return self._line(line.append(after))

    def _line(self, text: Text, indent: int = 0) -> str:
        self._console.print(Padding(text, (0, 0, 0, indent), expand=False))
        written = self._written.getvalue()
        self._written.seek(0)
        self._written.truncate()
        return "".join(f"{line.rstrip()}\n" for line in written.splitlines())


def _result(attempt: Attempted) -> str:
    failure = attempt.failure
    if failure is None:
        return attempt.result
    reason = "" if failure.reason == attempt.result else f": {failure.reason}"
    return f"{attempt.result}{reason}" + (f": {failure.detail}" if failure.detail else "")


def _facts(attempt: Attempted) -> str:
    status = "no complete answer" if attempt.status is None else f"status {attempt.status}"
    size = "" if attempt.size is None else f"{attempt.size:,} bytes"
    same = "as before" if attempt.recalled else ""
    times = f"upstream {attempt.upstream_seconds * 1e3:.1f} ms"
    if attempt.verify_seconds:
        times += f", checks {attempt.verify_seconds * 1e3:.1f} ms"
    return ", ".join(filter(None, (status, size, same, attempt.media_type, times)))


def _finding(finding: Finding, mode: Mode) -> Text:
    line = Text(f"{mode.value} ", "bold red" if mode is Mode.ENFORCE else "yellow")
    line.append(f"{finding.reason} (tier {finding.tier}): {finding.detail}", "default")
    return line


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)


def as_json(explanation: Explanation) -> str:
    """Return the explanation as one JSON object. Its keys are part of docwarden's contract."""
    failure = explanation.failure
    shown = {
        "document_id": explanation.document_id,
        "attempts": [_attempt(each) for each in explanation.attempts],
        "client": {
            "status": _OK if failure is None else failure.rule.status,
            "media_type": explanation.media_type,
            "problem": None if failure is None else failure.rule.slug,
            "reason": None if failure is None else failure.reason,
        },
    }
    return orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode() + "\n"


def _attempt(attempt: Attempted) -> dict[str, Any]:
    failure = attempt.failure
    return {
        "result": attempt.result,
        "reason": None if failure is None else failure.reason,
        "detail": None if failure is None else failure.detail,
        "status": attempt.status,
        "bytes": attempt.size,
        "media_type": attempt.media_type,
        "findings": [
            {
                "reason": str(finding.reason),
                "check": str(finding.check),
                "tier": finding.tier,
                "mode": str(mode),
                "detail": finding.detail,
            }
            for finding, mode in attempt.findings
        ],
        "recalled": attempt.recalled,
        "upstream_ms": _ms(attempt.upstream_seconds),
        "verify_ms": _ms(attempt.verify_seconds),
    }
