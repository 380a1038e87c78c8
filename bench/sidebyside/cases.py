"""What is measured: which documents, over how many connections, through which gateways."""

from dataclasses import dataclass, replace
from typing import Final, Self

from sidebyside.peers import (
    AIOHTTP,
    AIOHTTP_UVLOOP,
    DOCWARDEN,
    DOCWARDEN_QUIET,
    DOCWARDEN_TIER_2,
    FASTAPI,
    GO_NAIVE,
    GO_PNG,
    GO_PROXY,
    GO_VERIFYING,
    HAPROXY,
    NGINX,
    Peer,
    docwarden,
    nginx,
)
from sidebyside.upstream import DISTINCT, SIZES


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One comparison.

    Attributes:
        name: for results.
        title: for the page.
        peers: measured in turn, round after round.
        documents: `mix`, `distinct`, `sized` or a folder of `fresh`: which port of the upstream.
        path: what is asked for; with `numbers`, one path after the other instead.
        connections: kept open by the load generator.
        rounds: how often each peer is measured.
        seconds: how long each time.
        warm_up: seconds of load before the first round.
        note: what a reader of the table must know.
    """

    name: str
    title: str
    peers: tuple[Peer, ...]
    documents: str = "mix"
    path: str = "/7"
    numbers: int = 0
    connections: int = 32
    rounds: int = 5
    seconds: float = 5.0
    warm_up: float = 1.5
    note: str = ""

    def scaled(self, times: float) -> Self:
        """Return it with rounds of so many times the seconds."""
        return replace(self, seconds=self.seconds * times)


_SIZE_NAMES: Final = {
    size: f"{size >> 20} MiB" if size >> 20 else f"{size >> 10} KiB" for size in SIZES
}
_EVERY: Final = (
    NGINX, HAPROXY, GO_PROXY, GO_NAIVE, AIOHTTP, FASTAPI, DOCWARDEN,
)  # fmt: skip
# By default docwarden refuses a request that has waited 100 ms for a place under its limit. The
# others queue for as long as it takes; here it does so too, or there would be less to compare.
_PATIENT: Final = docwarden(settings={"QUEUE_TIMEOUT": "10s"})


def _mix(peers: tuple[Peer, ...], rounds: int, seconds: float) -> Case:
    return Case(
        name="mix",
        title="Remembered: the same three documents, 50 % PNG, 40 % PDF, 10 % corrupt PDF",
        peers=peers,
        rounds=rounds,
        seconds=seconds,
    )


def _distinct(peers: tuple[Peer, ...], rounds: int, seconds: float) -> Case:
    return Case(
        name="distinct",
        title="All documents distinct: nothing to remember",
        peers=peers,
        documents="distinct",
        numbers=DISTINCT,
        note=(
            "A second attempt after a corrupt document may draw the same one: a hundredth of the"
            " answers. All others are bytes that docwarden does not remember."
        ),
        rounds=rounds,
        seconds=seconds,
    )


def _fresh(rounds: int, seconds: float) -> list[Case]:
    """Return what is measured with documents that nobody has seen before."""
    checked = (NGINX, DOCWARDEN_TIER_2, DOCWARDEN, GO_VERIFYING)
    kinds: tuple[tuple[str, str, tuple[Peer, ...]], ...] = (
        ("scans-and-pdfs", "Half page scans, half PDFs", (*checked, GO_PNG)),
        ("pdfs", "PDFs, with cross-reference tables and with object streams", checked),
        ("photographs", "Photographs of twelve megapixels", checked),
    )
    return [
        Case(
            name=name,
            title=f"{title}, each never seen before",
            peers=peers,
            documents=name,
            connections=8,
            rounds=rounds,
            seconds=seconds,
        )
        for name, title, peers in kinds
    ]


def quick() -> list[Case]:
    """Return what `make bench-quick` measures."""
    return [
        *_fresh(3, 2.0),
        _mix(_EVERY, 3, 2.5),
        _distinct((NGINX, DOCWARDEN_TIER_2), 3, 2.0),
    ]


def full() -> list[Case]:
    """Return what `make bench` measures."""
    sizes = [
        Case(
            name=f"size-{size}",
            title=f"PNG documents of {_SIZE_NAMES[size]} over 8 connections",
            peers=(NGINX, GO_PROXY, AIOHTTP_UVLOOP, DOCWARDEN),
            documents="sized",
            path=f"/{size}",
            connections=8,  # few large documents are under way when a round ends
            rounds=3,
            seconds=4,
        )
        for size in SIZES
    ]
    connections = [
        Case(
            name=f"connections-{count}",
            title=f"The mix over {count} connection{'s' if count > 1 else ''}",
            peers=(NGINX, GO_PROXY, _PATIENT),
            note="docwarden with `QUEUE_TIMEOUT=10s`: by default it sheds what waits 100 ms.",
            connections=count,
            rounds=3,
            seconds=4,
        )
        for count in (1, 8, 32, 256, 1000)
    ]
    return [
        *_fresh(5, 4),
        _mix((*_EVERY, AIOHTTP_UVLOOP), 7, 5),
        _distinct((NGINX, HAPROXY, GO_PROXY, DOCWARDEN_TIER_2, DOCWARDEN), 5, 5),
        *sizes,
        *connections,
        Case(
            name="logs",
            title="Logs on and off",
            peers=(NGINX, nginx(logs=True), DOCWARDEN_QUIET, DOCWARDEN),
            rounds=5,
            seconds=4,
        ),
    ]
