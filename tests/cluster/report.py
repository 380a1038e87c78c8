"""What each step took and showed, for people and for machines."""

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Step:
    """One part of the proof."""

    name: str
    result: str = "ok"
    seconds: float = 0.0
    figures: list[str] = field(default_factory=list)


class Report:
    """The steps so far."""

    def __init__(self) -> None:
        """Begin with none."""
        self.steps: list[Step] = []
        self.began = time.monotonic()

    def figure(self, text: str) -> None:
        """Add a figure to the step that runs."""
        self.steps[-1].figures.append(text)

    def lines(self) -> list[str]:
        """Return a table of all steps, in Markdown."""
        rows = ["| step | result | time | seen |", "| --- | --- | --- | --- |"]
        for each in self.steps:
            seen = "; ".join(each.figures)
            rows.append(f"| {each.name} | {each.result} | {each.seconds:.0f} s | {seen} |")
        total = time.monotonic() - self.began
        rows.append(f"| all {len(self.steps)} steps | | {total / 60:.1f} min | |")
        return rows

    def write(self, path: Path, about: dict[str, Any]) -> None:
        """Write the steps as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        steps = [vars(each) for each in self.steps]
        path.write_text(json.dumps({**about, "steps": steps}, indent=2) + "\n")
