"""Formats the report of `docwarden explain` for people; programs get it as JSON."""

import io
import sys
from collections.abc import Mapping
from typing import Any, Final

import orjson
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from docwarden.integrity.checks import Mode

COLUMNS: Final = 100
"""Width of an output that is not a terminal."""

Part = Mapping[str, Any]
"""A part of a report; see `docwarden.explaining.report`."""


class Lines:
    """Formats each part as text, with colour if the output is a terminal."""

    def __init__(self) -> None:
        terminal = sys.stdout.isatty()
        self._written = io.StringIO()
        self._console = Console(
            file=self._written,
            force_terminal=terminal,
            width=Console().width if terminal else COLUMNS,
            highlight=False,
        )
        self._attempts = 0

    def heading(self, document_id: str, where: str) -> str:
        """Return the title: the document and where it comes from."""
        return self._line(Text(f"document {document_id} of {where}"))

    def attempt(self, attempt: Part) -> str:
        """Return the lines about the next attempt."""
        self._attempts += 1
        head = Text(f"attempt {self._attempts}  ")
        head.append(_result(attempt), "green" if attempt["reason"] is None else "bold red")
        lines = [self._line(head), self._line(Text(_facts(attempt)), 2)]
        lines += [self._line(_finding(each), 2) for each in attempt["findings"]]
        return "".join(lines)

    def conclusion(self, client: Part) -> str:
        """Return what a client would get."""
        made = self._attempts
        line = Text("a client would get ")
        if client["problem"] is None:
            line.append(f"{client['status']} {client['media_type']}", "green")
        else:
            line.append(f"{client['status']} {client['problem']}", "bold red")
            line.append(f" (reason {client['reason']})")
        return self._line(line.append(f" after {made} attempt{'' if made == 1 else 's'}"))

    def _line(self, text: Text, indent: int = 0) -> str:
        self._console.print(Padding(text, (0, 0, 0, indent), expand=False))
        written = self._written.getvalue()
        self._written.seek(0)
        self._written.truncate()
        return "".join(f"{line.rstrip()}\n" for line in written.splitlines())


def _result(attempt: Part) -> str:
    named = (attempt["result"], attempt["reason"], attempt["detail"])
    return ": ".join(dict.fromkeys(filter(None, named)))


def _facts(attempt: Part) -> str:
    status, size = attempt["status"], attempt["bytes"]
    times = f"upstream {attempt['upstream_ms']:.1f} ms"
    if attempt["verify_ms"]:
        times += f", checks {attempt['verify_ms']:.1f} ms"
    facts = (
        "no complete answer" if status is None else f"status {status}",
        "" if size is None else f"{size:,} bytes",
        "as before" if attempt["recalled"] else "",
        attempt["media_type"],
        times,
    )
    return ", ".join(filter(None, facts))


def _finding(finding: Part) -> Text:
    mode = finding["mode"]
    line = Text(f"{mode} ", "bold red" if mode == Mode.ENFORCE else "yellow")
    line.append(f"{finding['reason']} (tier {finding['tier']}): {finding['detail']}", "default")
    return line


def as_json(report: Part) -> str:
    """Return a report as one JSON object."""
    return orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n"
