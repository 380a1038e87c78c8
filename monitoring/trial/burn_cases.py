"""What the burn-rate alerts have to do, on both sides of every threshold and wait."""

from collections.abc import Iterator, Sequence

from docwarden_monitoring.objectives import BURNS, Burn, Objective
from docwarden_monitoring.spans import read_duration
from trial.series import (
    Case,
    Phase,
    Series,
    deliveries,
    documents,
)


def minutes_of(duration: str) -> float:
    return read_duration(duration) / 60


def missing(objective: Objective, bad: Sequence[Phase], good: Sequence[Phase]) -> Series:
    """Requests that miss the objective, and requests that meet it."""
    if objective.slo == "latency":
        return deliveries(bad, good)
    return documents(timeout=bad, delivered=good)


def failing(objective: Objective, *phases: tuple[float, float]) -> Series:
    """A thousand requests a minute, of which a share misses the objective: (minutes, share)."""
    bad = [(minutes, 1000 * share) for minutes, share in phases]
    good = [(minutes, 1000 * (1 - share)) for minutes, share in phases]
    return missing(objective, bad, good)


def burn_cases(objective: Objective, burn: Burn) -> Iterator[Case]:
    threshold = burn.factor * objective.budget
    long, wait = minutes_of(burn.long), minutes_of(burn.wait)
    step = 1 if long < 1440 else 2
    base = (objective.alert, burn.severity)

    def case(about: str, series: Series, at: float, *, fires: bool) -> Case:
        return Case(
            f"{objective.slo} {burn.factor:g}x {about}", *base, series, at, fires, burn.long, step
        )

    end = long + wait + 10
    above = failing(objective, (end, threshold * 1.03))
    below = failing(objective, (end, threshold * 0.97))
    if step == 2:
        above, below = (_each_second_minute(series) for series in (above, below))
    yield case("just above", above, end - 2, fires=True)
    yield case("just below", below, end - 2, fires=False)
    if burn.severity == "warning":
        return
    # Well above: how long it has to hold, and when it ends.
    broken = failing(objective, (long, 0), (60, 1), (60, 0))
    reached = max(1.0, long * threshold)
    yield case("before its wait", broken, long + reached + wait - 1, fires=False)
    yield case("after its wait", broken, long + reached + wait + 2, fires=True)
    yield case("just mended", broken, long + 60, fires=True)
    # Two minutes of window, and up to one more each for the samples and the evaluation.
    yield case("mended for 4 m", broken, long + 60 + 4, fires=False)
    # One minute that loses less than the long window allows, however bad it looks in the short.
    brief = failing(objective, (long, 0), (1, min(1, threshold * long * 0.9)), (60, 0))
    for minutes in (2, 4):
        yield case(f"a brief fault, {minutes} m", brief, long + minutes, fires=False)


def few_cases(objective: Objective) -> Iterator[Case]:
    """Next to no traffic: so many minutes with so many bad requests, then good ones again."""
    fast, slow = (burn for burn in BURNS if burn.least)
    for burn, minutes, each, after, fires in (
        (fast, 20, 0.5, 9, False),
        (fast, 20, 0.5, 14, True),
        (slow, 60, 0.25, 18, False),
        (slow, 60, 0.25, 45, True),
    ):
        long = minutes_of(burn.long)
        series = missing(
            objective,
            bad=[(long, 0), (minutes, each), (30, 0)],
            # An eighth adds up exactly: a rounded sum would look like a counter's reset.
            good=[(long, 0.125), (minutes, 0), (30, 0.125)],
        )
        about = f"{objective.slo} {burn.factor:g}x, {min(minutes, after) * each:g} bad requests"
        yield Case(about, objective.alert, burn.severity, series, long + after, fires, burn.long)


def _each_second_minute(series: Series) -> Series:
    """The same growth with half the samples."""
    halved = {}
    for name, values in series.items():
        _, growing = values.split(" ")
        growth, _, count = growing.partition("+")[2].partition("x")
        each = 2 * float(growth)
        halved[name] = f"0+{each:g}x{int(count) // 2}"
    return halved
