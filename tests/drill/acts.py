"""Three ways in which an upstream breaks, and what has to be seen of each."""

from dataclasses import dataclass
from typing import Any, Final

MENDED: Final = {
    "listening": True,
    "mix": {"png": 50, "pdf": 40, "corrupt-pdf": 10},
    "latency": "0s",
}


@dataclass(frozen=True)
class Act:
    """One way to break.

    Attributes:
        about: what happens, for whoever looks on.
        changes: what the simulator is told.
        titles: what the console's verdict says, one of them.
        alert: what pages.
        explained: what `docwarden explain` has to say; empty where the document comes, and late.
        crowd: further clients, without whom late answers would be too few.
    """

    about: str
    changes: dict[str, Any]
    titles: tuple[str, ...]
    alert: str
    explained: str = ""
    crowd: int = 0


ACTS: Final = {
    "dead": Act(
        "the upstream no longer listens",
        {"listening": False},
        ("No documents delivered",),
        "DocwardenUpstreamDown",
        "connect-failed",
    ),
    "corrupt": Act(
        "seven answers in ten are damaged PDFs",
        {"mix": {"png": 3, "corrupt-pdf": 7}},
        ("Some documents are not delivered",),
        "DocwardenCorruptionHigh",
        "pdf-startxref-wrong",
    ),
    "slow": Act(
        "every answer takes 0.6 s, and the objective is 0.5 s",
        {"latency": "600ms"},
        ("Deliveries are slow",),
        "DocwardenUpstreamSlow",
        crowd=8,
    ),
}
IMPACT: Final = {title for act in ACTS.values() for title in act.titles}
