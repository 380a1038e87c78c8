"""The order of pages in the lists and in the site's navigation."""

from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType
from typing import Final

# The order in which a reader comes to need them. Pages that are not named follow by name.
FIRST: Final = MappingProxyType(
    {
        "how-to": (
            "configure",
            "front-another-upstream",
            "run-the-container",
            "deploy-to-kubernetes",
            "connect-monitoring",
            "debug-a-refusal",
            "read-the-console",
            "run-a-drill",
            "query-logs",
            "inspect-files",
            "trace-requests",
            "bootstrap-aws",
            "release",
            "recover-from-disaster",
            "tear-down-aws",
        ),
        "reference": (
            "settings", "cli", "http", "problems", "integrity-checks", "metrics", "log-events",
            "alerts", "glossary",
        ),
        "explanation": (
            "fail-safe", "faq", "comparison", "architecture", "integrity", "resilience", "slo",
            "proofs", "performance",
        ),
        "runbooks": ("index",),
    }
)  # fmt: skip


def in_order(folder: Path) -> Iterable[Path]:
    """Return the pages of a folder, those first that are needed first."""
    first = FIRST.get(folder.name, ())
    places = {name: place for place, name in enumerate(first)}
    return sorted(
        folder.glob("*.md"), key=lambda page: (places.get(page.stem, len(first)), page.name)
    )
