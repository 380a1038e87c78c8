"""Results of attempts by what they say of the upstream, and the shares that alerts act on."""

from typing import Final

TRANSPORT: Final = (
    "connect-failed", "connection-lost", "protocol-violation", "attempt-timeout", "upstream-status",
)  # fmt: skip
"""Results of attempts that speak against the upstream's health (`trips` in errors.RULES)."""

TOO_LATE: Final = "attempt-timeout"
"""The one among them in which the upstream can be reached and does not answer in time."""

ANSWERED: Final = ("intact", "corrupt", "unsupported-type")
"""Results of attempts in which a document came, whatever its state."""

REFUSED: Final = ("corrupt", "unsupported-type")
NORMAL_CORRUPTION: Final = 0.1
"""Share of its documents that the upstream is known to send corrupt."""

CORRUPTION_TICKET: Final = 2 * NORMAL_CORRUPTION
CORRUPTION_PAGE: Final = 0.35
"""Four attempts at this share fail 1.5 % of the requests: 0.35 ** 4, the fastest page's rate."""

LEAST_ANSWERS: Final = 50
"""Of 50 answers at 10 % corruption, 18 or more are corrupt once in 1.3 million windows."""

MOSTLY: Final = 0.5
"""Share from which one kind of result stands for all of them."""

STALL_SECONDS: Final = 0.5
DEEP_FAILURES: Final = 5
