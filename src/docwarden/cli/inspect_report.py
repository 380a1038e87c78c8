"""What `docwarden inspect` prints: a table for people or JSON lines for programs."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from docwarden.integrity.verdict import Finding, Verdict

_UNLIMITED: Final = 100_000
"""Columns of an output that is not a terminal: nothing is wrapped or cut."""
_REPLACEMENT: Final = "\ufffd".encode()
"""What a text decoder puts in place of invalid bytes."""


@dataclass(frozen=True, slots=True)
class Inspected:
    """The result for one file.

    Attributes:
        file: Its name, as given or found.
        size: Bytes; None if the input was not read to its end.
        media_type: The type that its bytes have.
        findings: Every failed check, enforced or observed.
        rejected: The finding for which it would not be delivered.
        replaced: How often the UTF-8 bytes of U+FFFD occur in a file with findings.
    """

    file: str
    size: int | None
    media_type: str | None
    findings: Sequence[Finding]
    rejected: Finding | None

    replaced: int = 0

    @classmethod
    def of_verdict(cls, file: str, data: bytes, verdict: Verdict) -> Self:
        """Return the result for a file that was verified."""
        replaced = data.count(_REPLACEMENT) if verdict.findings else 0
        return cls(
            file, len(data), verdict.media_type, verdict.findings, verdict.rejected, replaced
        )

    def why(self, finding: Finding) -> str:
        """Return the detail of a finding, for people."""
        if not self.replaced:
            return finding.detail
        return (
            f"{finding.detail}; {self.replaced} times the UTF-8 bytes of U+FFFD,"
            " as a text decoder leaves"
        )

    def as_json(self) -> str:
        """Return the result as one line. The keys are part of docwarden's contract."""
        rejected = self.rejected
        return json.dumps(
            {
                "file": self.file,
                "intact": rejected is None,
                "media_type": self.media_type,
                "reason": rejected.reason if rejected else None,
                "tier": rejected.tier if rejected else None,
                "bytes": self.size,
                "detail": self.why(rejected) if rejected else None,
                "observed": [f.reason for f in self.findings if f is not rejected],
            }
        )


class Report:
    """Collects results and prints them: JSON lines at once, the table at the end.

    Attributes:
        broken: How many files are not intact.
        unreadable: How many files could not be read.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.broken = 0
        self.unreadable = 0
        self._intact = 0
        self._as_json = as_json
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)
        self._table = Table("file", "verdict", "type", "bytes", "why", box=None, pad_edge=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None and not self._as_json:
            self._print_table()

    def progress(self, files: Sequence[str]) -> Iterable[str]:
        """Yield `files`, with a bar on standard error when that is a terminal."""
        worthwhile = self._errors.is_terminal and len(files) > 1
        return track(
            files,
            description="Verifying",
            console=self._errors,
            transient=True,
            disable=not worthwhile,
        )

    def add(self, inspected: Inspected) -> None:
        """Add one result."""
        self.broken += inspected.rejected is not None
        self._intact += inspected.rejected is None
        if self._as_json:
            sys.stdout.write(inspected.as_json() + "\n")
            sys.stdout.flush()
        else:
            self._add_row(inspected)

    def complain(self, message: str) -> None:
        """Report that a file cannot be read."""
        self.unreadable += 1
        self._errors.print(Text(f"docwarden inspect: {_printable(message)}"))

    def _add_row(self, inspected: Inspected) -> None:
        broken = inspected.rejected is not None
        finding = inspected.rejected or next(iter(inspected.findings), None)
        observed = "" if broken else "observed: "
        self._table.add_row(
            Text(_printable(inspected.file)),
            Text("broken", "bold red") if broken else Text("intact", "green"),
            inspected.media_type or "-",
            Text("-" if inspected.size is None else f"{inspected.size:,}", justify="right"),
            Text(f"{observed}{finding.reason} (tier {finding.tier}): {inspected.why(finding)}")
            if finding
            else "",
        )

    def _print_table(self) -> None:
        terminal = sys.stdout.isatty()
        console = Console(highlight=False, width=None if terminal else _UNLIMITED)
        if self._table.row_count:
            console.print(self._table)
            console.print(f"{self._intact} intact, {self.broken} broken")


def _printable(name: str) -> str:
    """Return a file name fit for a terminal: names may hold any byte."""
    text = os.fsencode(name).decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
