"""What a runbook says first."""

from pathlib import Path
from typing import Final

RUNBOOKS: Final = Path(__file__).parents[2] / "docs/runbooks"


def meaning(alert: str) -> str:
    """Return the first paragraph of a runbook's section on what the alert means."""
    _, _, text = (RUNBOOKS / f"{alert}.md").read_text(encoding="utf-8").partition("## Meaning\n")
    return " ".join(text.strip().split("\n\n")[0].split())
