"""The bounds that docwarden is held to, and whether a run meets them.

A ratio is the median of the rounds' ratios: within a round the machine is in one mood for both.
"""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sidebyside.results import Record, Results, Round

# What nginx draws as the upstream, and gateways that verify nothing hand on.
_INTACT: Final = 0.9


@dataclass(frozen=True, slots=True)
class Judgement:
    """One figure beside its bound; `value` is None when it was not measured.

    Attributes:
        per_intact: the same figure divided by intact documents delivered instead of by requests;
            empty where that makes no difference.
    """

    figure: str
    bound: str
    value: str | None
    met: bool | None
    per_intact: str = ""


def judge(results: Results) -> list[Judgement]:
    """Hold a run against every bound, in the order of the page."""

    def mix(other: str) -> _Pair | None:
        return _pair(results, "mix", "docwarden", other)

    def scans(other: str) -> _Pair | None:
        return _pair(results, "scans-and-pdfs", "docwarden", other)

    return [
        _times(scans("go-png"), "a Go handler that decodes the PNGs, never seen before", 0.25),
        _times(scans("go-png"), "the same, stretch goal", 0.12),
        _times(
            _pair(results, "pdfs", "docwarden", "docwarden-tier-2"),
            "itself at tiers 0 to 2, PDFs never seen before",
            3.0,
        ),
        _times(mix("go-reverseproxy"), "Go `ReverseProxy`, which verifies nothing", 1.0),
        _times(mix("nginx"), "nginx `proxy_pass`, which verifies nothing", 2.5),
        _times(mix("nginx"), "the same, stretch goal", 1.6),
        _cheaper(mix("fastapi"), "FastAPI + httpx, which verifies nothing", 25),
        _cheaper(mix("aiohttp"), "aiohttp both ways, which verifies nothing", 2.5),
        _times(
            _pair(results, "distinct", "docwarden-tier-2", "nginx"),
            "nginx, all documents distinct, tiers 0 to 2",
            2.7,
        ),
        _latency(_pair(results, "steady", "docwarden", "nginx"), 2.0),
        _start(results, 0.5),
        _memory(results, 60),
    ]


_Pair = tuple[Record, Record]


def _pair(results: Results, case: str, own: str, other: str) -> _Pair | None:
    outcome = results.outcomes.get(case)
    if outcome is None or own not in outcome.records or other not in outcome.records:
        return None
    return outcome.records[own], outcome.records[other]


def _cpu(each: Round) -> float:
    return each.cpu_per_request


def _ratio(one: Record, other: Record, of: Callable[[Round], float]) -> float:
    pairs = zip(one.rounds, other.rounds, strict=True)
    return statistics.median(of(mine) / of(theirs) for mine, theirs in pairs)


def _times(pair: _Pair | None, against: str, most: float) -> Judgement:
    figure, bound = f"CPU per 1000 documents against {against}", f"at most {most:g} times"
    if pair is None:
        return Judgement(figure, bound, None, None)
    ratio = _ratio(pair[0], pair[1], _cpu)
    met = ratio <= most
    return Judgement(figure, bound, f"{ratio:.2f} times", met, f"{ratio * _INTACT:.2f}")


def _cheaper(pair: _Pair | None, against: str, least: float) -> Judgement:
    figure, bound = f"CPU per 1000 documents against {against}", f"at least {least:g} times cheaper"
    if pair is None:
        return Judgement(figure, bound, None, None)
    ratio = _ratio(pair[1], pair[0], _cpu)
    met = ratio >= least
    return Judgement(figure, bound, f"{ratio:.2f} times cheaper", met, f"{ratio / _INTACT:.2f}")


def _latency(pair: _Pair | None, most: float) -> Judgement:
    figure = "p99 at half of capacity, 32 connections, against nginx at the same rate"
    bound = f"at most {most:.1f} times"
    if pair is None:
        return Judgement(figure, bound, None, None)
    ratio = _ratio(pair[0], pair[1], lambda each: each.p99)
    shown = f"{ratio:.2f} times ({pair[0].p99:.2f} ms, {pair[1].p99:.2f} ms)"
    return Judgement(figure, bound, shown, ratio <= most)


def _start(results: Results, most: float) -> Judgement:
    figure, bound = "Start to first 200", f"at most {most:g} s"
    mix = results.outcomes.get("mix")
    record = mix.records.get("docwarden") if mix else None
    seconds = record.start if record else None
    if seconds is None:
        return Judgement(figure, bound, None, None)
    return Judgement(figure, bound, f"{seconds:.2f} s", seconds <= most)


def _memory(results: Results, most: float) -> Judgement:
    figure, bound = "Idle memory, the deep checker's process included", f"at most {most:g} MB"
    mix = results.outcomes.get("mix")
    record = mix.records.get("docwarden") if mix else None
    if record is None or record.idle is None:
        return Judgement(figure, bound, None, None)
    pss, rss = record.idle.pss / 1e6, record.idle.rss / 1e6
    return Judgement(figure, bound, f"{pss:.0f} MB PSS ({rss:.0f} MB RSS)", pss <= most)
