"""Four ways in which an upstream breaks, and what an operator sees of each: verdict, cause, since.

Every state that the page shows is recorded in the page, so nothing between two looks is missed.
Times are those that the page tells, which the tests' own delays do not touch.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

WITHIN = 15.0
"""Seconds from the first request that suffers to the verdict."""
DAY = 86_400
HEALTHY = {"png": 60, "pdf": 40}
WARMED_UP = 100
PATIENCE = 120.0

RECORD = """
window.shown = [];
const number = (element) => Number(element?.dataset.value ?? 0);
const of = (outcome) => number(document.querySelector(`#outcomes tr[data-key="${outcome}"] td`));
const text = (selector) =>
  document.querySelector(selector)?.textContent.replaceAll("\\u00a0", " ") ?? "";
const good = ["delivered", "delivered_stale", "not_modified", "not_found"];
new MutationObserver(() => {
  const oldest = document.querySelector("#failures tbody tr:last-child")?.cells;
  const rows = [...document.querySelectorAll("#outcomes tbody tr")];
  const outcomes = rows.map((row) => row.dataset.key);
  const sum = (names) => names.reduce((total, name) => total + of(name), 0);
  window.shown.push({
    at: text("#read-at"),
    level: document.getElementById("standing").dataset.level,
    title: text("#verdict"),
    concerns: text("#concerns"),
    good: sum(good),
    lost: sum(outcomes.filter((name) => !good.includes(name) && name !== "client_closed")),
    p95: text("#tile-p95"),
    stall: number(document.querySelector("[data-metric$=stall_seconds]")),
    failed: oldest ? [oldest[0].textContent, oldest[5].textContent] : null,
  });
}).observe(document.getElementById("read-at"), { childList: true });
"""


@dataclass(frozen=True)
class Drill:
    """One way to break, and what has to be read of it.

    Attributes:
        fault: what the simulator is told.
        titles: one of them is the verdict.
        tells: all of them are said, beside since when.
        causes: one of them is said too, where there are any.
        fails: whether requests fail; else they come late.
    """

    fault: dict[str, Any]
    titles: tuple[str, ...]
    tells: tuple[str, ...]
    causes: tuple[str, ...] = ()
    fails: bool = True


DRILLS = {
    "dead": Drill(
        {"listening": False},
        ("No documents delivered",),
        ("connect-failed (refused)", "Upstream circuit open", "the next probe is in"),
    ),
    "40 % corrupt": Drill(
        {"mix": {"png": 30, "pdf": 30, "corrupt-pdf": 40}},
        ("Some documents are not delivered",),
        ("pdf-startxref-wrong", "succeeded, the objective is 99.9 %"),
    ),
    "3 s": Drill(
        {"latency": "3s"},
        # As long as an attempt may take: which of them are heard is a matter of milliseconds.
        ("No documents delivered", "Some documents are not delivered", "Deliveries are slow"),
        (),
        causes=("attempt-timeout", "The upstream is slow"),
        fails=False,
    ),
    "2.5 s": Drill(
        {"latency": "2.5s"},
        ("Deliveries are slow",),
        ("took longer than 0.5 s", "the objective is 99 %", "The upstream is slow"),
        fails=False,
    ),
}


def of_day(clock: str) -> int:
    hours, minutes, seconds = map(int, clock.split(":"))
    return hours * 3600 + minutes * 60 + seconds


def took(text: str) -> float:
    value, unit = text.replace(",", "").split(" ")
    return float(value) / (1000 if unit == "ms" else 1)


def names(drill: Drill, state: dict[str, Any]) -> bool:
    """Tell whether a state has the verdict, its cause and since when."""
    said = state["concerns"]
    return (
        state["title"] in drill.titles
        and all(each in said for each in (" since ", " UTC", *drill.tells))
        and (not drill.causes or any(each in said for each in drill.causes))
    )


def began(drill: Drill, broken: float, shown: list[dict[str, Any]]) -> float:
    """Return the second of the day at which the first request that suffers came in."""
    if not drill.fails:
        return broken % DAY
    ended, duration = next(state["failed"] for state in shown if state["failed"])
    return of_day(ended) - took(duration)


def burns(state: dict[str, Any]) -> bool:
    """Tell whether the page's own numbers miss an objective, by more than a chance."""
    lost, asked = state["lost"], state["lost"] + state["good"]
    late = state["p95"].replace(",", "")
    return (lost >= 3 and lost / asked >= 0.001) or (late[:1].isdecimal() and float(late) > 500)


@pytest.fixture
def watched(browser: Any, start_upstream: Any, start_gateway: Any, clients: Any) -> Any:
    """Return what starts a gateway with clients, and records its page."""

    def watch(workers: int) -> Any:
        upstream = start_upstream()
        upstream.behave(mix=HEALTHY)
        gateway = start_gateway(upstream.url, workers=str(workers), log_success_share="0")
        browser.open(f"{gateway.admin}/")
        browser.see("#link-text", "Live")
        browser.run(RECORD)
        clients(gateway, threads=16, pause=0.4)
        return upstream

    return watch


def shown(browser: Any) -> list[dict[str, Any]]:
    states: list[dict[str, Any]] = browser.run("return window.shown")
    return states


@pytest.mark.timeout(240)
@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", DRILLS)
def test_drill_is_told_with_cause_and_since_within_15_s_and_never_green(
    browser: Any, watched: Any, poll: Callable[..., Any], name: str, workers: int
) -> None:
    drill = DRILLS[name]
    upstream = watched(workers)

    def last() -> list[dict[str, Any]]:
        return shown(browser)[-1:]

    poll(lambda: last() and last()[0]["good"] >= WARMED_UP, last)
    assert not burns(last()[0])
    browser.run("window.shown = []")
    broken = time.time()
    upstream.behave(**drill.fault)
    # The table of failures is drawn after the state that is recorded.
    poll(lambda: any(names(drill, each) for each in shown(browser)[:-1]), last, patience=PATIENCE)
    states = shown(browser)
    told = next(state for state in states if names(drill, state))
    seconds = (of_day(told["at"]) - began(drill, broken, states)) % DAY
    assert seconds <= WITHIN + told["stall"], told
    green = [state for state in states if burns(state) and state["level"] not in ("warn", "bad")]
    assert green == []
    assert burns(states[-1])
