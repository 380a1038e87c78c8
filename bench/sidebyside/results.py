"""What was measured, and the medians of it."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from sidebyside.procfs import Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One peer under load once; times in seconds, latencies in milliseconds.

    Attributes:
        requests: answered to the client.
        unfinished: under way when the load generator stopped, one a connection. Their cost is in
            `cpu`, so they count as requests where cost is divided by requests.
        answers: answered by the upstream meanwhile.
        cpu: user and system time of the peer and its children.
        refused: answers other than 2xx.
        broken: connections that failed and requests that timed out.
        others: share of the peer's core that other processes took meanwhile.
    """

    requests: int
    unfinished: int
    answers: int
    seconds: float
    cpu: float
    p50: float
    p99: float
    p999: float
    refused: int
    broken: int
    others: float

    @property
    def cpu_per_request(self) -> float:
        """CPU milliseconds per 1000 requests."""
        return 1e6 * self.cpu / max(1, self.requests + self.unfinished)


@dataclass(slots=True)
class Bodies:
    """The pass that compares every body with the documents by its SHA-256."""

    asked: int = 0
    intact: int = 0
    corrupt: int = 0
    """Broken documents that reached the client as if they were whole."""
    mistyped: int = 0
    """Intact ones under another media type than theirs."""
    unknown: int = 0
    """Bodies that the upstream never sent."""
    refused: int = 0


@dataclass(slots=True)
class Record:
    """Everything about one peer in one case."""

    name: str
    title: str
    verifies: bool
    rounds: list[Round] = field(default_factory=list)
    start_seconds: list[float] = field(default_factory=list)
    idle: Memory | None = None
    loaded: Memory | None = None
    bodies: Bodies | None = None
    recalled: float | None = None
    """docwarden's documents whose verdict was remembered, over all rounds."""

    def _median(self, of: Callable[[Round], float]) -> float:
        return statistics.median(of(each) for each in self.rounds)

    @property
    def cpu(self) -> float:
        """CPU milliseconds per 1000 requests of clients."""
        return self._median(lambda each: each.cpu_per_request)

    @property
    def cpu_range(self) -> tuple[float, float]:
        """Least and most of `cpu` over the rounds."""
        values = [each.cpu_per_request for each in self.rounds]
        return min(values), max(values)

    @property
    def cpu_per_answer(self) -> float:
        """CPU milliseconds per 1000 answers of the upstream."""
        return self._median(lambda each: 1e6 * each.cpu / max(1, each.answers))

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self._median(lambda each: each.requests / each.seconds)

    @property
    def p50(self) -> float:
        """Median latency in milliseconds."""
        return self._median(lambda each: each.p50)

    @property
    def p99(self) -> float:
        """99th percentile of the latency in milliseconds."""
        return self._median(lambda each: each.p99)

    @property
    def p999(self) -> float:
        """99.9th percentile of the latency in milliseconds."""
        return self._median(lambda each: each.p999)

    @property
    def requests(self) -> int:
        """Requests over all rounds."""
        return sum(each.requests for each in self.rounds)

    @property
    def errors(self) -> int:
        """Refusals and failures over all rounds."""
        return sum(each.refused + each.broken for each in self.rounds)

    @property
    def start(self) -> float | None:
        """Seconds from the start to the first answer 200, if they were measured."""
        return statistics.median(self.start_seconds) if self.start_seconds else None


@dataclass(slots=True)
class Outcome:
    """One case's records by the peers' names, in the order of the table."""

    name: str
    title: str
    records: dict[str, Record]
    note: str = ""


@dataclass(slots=True)
class Results:
    """A whole run."""

    quick: bool
    date: str
    machine: dict[str, object]
    versions: dict[str, str]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def others(self) -> float:
        """Median share of the gateway's core that processes outside the benchmark took."""
        shares = [
            each.others
            for outcome in self.outcomes.values()
            for record in outcome.records.values()
            for each in record.rounds
        ]
        return statistics.median(shares) if shares else 0.0
