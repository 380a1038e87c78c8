"""What the alerts on causes have to do, on both sides of every threshold and wait."""

from collections.abc import Iterator

from trial.burn_cases import minutes_of
from trial.series import (
    TARGET,
    Case,
    Phase,
    Series,
    attempt_times,
    attempts,
    breaker,
    build,
    counter,
    documents,
    gauge,
    gone,
    up,
)


def cause_cases() -> Iterator[Case]:
    yield from _down_cases()
    yield from _upstream_cases()
    yield from _corruption_cases()
    yield from _shedding_cases()
    yield from _traffic_cases()
    yield from _process_cases()
    yield from _machinery_cases()


def _down_cases() -> Iterator[Case]:
    def case(about: str, series: Series, at: float, *, fires: bool) -> Case:
        return Case(about, "DocwardenDown", "critical", series, at, fires, step=0.25)

    down = up((5, 1), (5, 0), (15, 1))
    yield case("every target up", up((5, 1)), 4, fires=False)
    yield case("no target up for 45 s", down, 5.75, fires=False)
    yield case("no target up for 75 s", down, 6.25, fires=True)
    yield case("up again for 45 s", down, 10.75, fires=True)
    yield case("up again for 75 s", down, 11.25, fires=False)
    yield case("no target known", {'up{job="other"}': "1x40"}, 5, fires=True)
    both = {**up((5, 1)), **up((5, 0), instance="b")}
    yield case("one of two up", both, 4, fires=False)
    yield from _vanished_cases()

    def target(about: str, at: float, *, fires: bool) -> Case:
        series = {**up((5, 0), (5, 1)), **up((10, 1), instance="b")}
        return Case(about, "DocwardenTargetDown", "warning", series, at, fires, step=0.25)

    yield target("a target down for 4.75 m", 4.75, fires=False)
    silent = {**up((10, 0)), **up((10, 1), instance="b")}
    yield Case(
        "a target down for 5.25 m", "DocwardenTargetDown", "warning", silent, 5.25, True, step=0.25
    )
    yield target("up again", 6, fires=False)


def _vanished_cases() -> Iterator[Case]:
    """Installations that Prometheus has no target of any more, beside others and alone."""

    def case(
        about: str, series: Series, at: float, *, fires: bool, namespace: str | None = None
    ) -> Case:
        return Case(
            about, "DocwardenDown", "critical", series, at, fires, step=0.25, namespace=namespace
        )

    alone = gone(up((5, 1)))
    others = {**alone, 'up{job="docwarden",namespace="others",instance="b"}': "1x400"}
    yield case("no target of one of two for 45 s", others, 5.75, fires=False)
    yield case("no target of one of two for 75 s", others, 6.25, fires=True, namespace="docs")
    yield case("no target of one of two for 59 m", others, 64, fires=True, namespace="docs")
    yield case("no target of one of two for 63 m", others, 68, fires=False)
    back = {**others, **up((70, 1), instance="c")}
    yield case("one of two with new targets", back, 30, fires=False)
    yield case("no target of the only one for 75 s", alone, 6.25, fires=True, namespace="docs")
    yield case("no target of the only one for 63 m", alone, 68, fires=True, namespace="")


def _upstream_cases() -> Iterator[Case]:
    def case(about: str, series: Series, at: float, *, fires: bool) -> Case:
        return Case(about, "DocwardenUpstreamDown", "critical", series, at, fires, step=0.25)

    def process(about: str, series: Series, at: float, *, fires: bool) -> Case:
        return Case(about, "DocwardenBreakerOpen", "warning", series, at, fires, step=0.25)

    def slow(about: str, series: Series, at: float, *, fires: bool) -> Case:
        return Case(about, "DocwardenUpstreamSlow", "critical", series, at, fires, step=0.25)

    broken = [(5, 1), (10, 0), (15, 1)]
    everywhere = {**breaker(broken), **breaker(broken, "b")}
    yield case("every breaker closed", everywhere, 4, fires=False)
    yield case("no breaker closed for 45 s", everywhere, 5.75, fires=False)
    yield case("no breaker closed for 75 s", everywhere, 6.25, fires=True)
    yield case("closed again for 15 s", everywhere, 15.25, fires=True)
    yield case("closed again for 45 s", everywhere, 15.75, fires=False)
    # An outage in which attempts time out is told by DocwardenUpstreamSlow.
    for share, fires in ((0.48, True), (0.52, False)):
        failing = {"attempt-timeout": share, "connect-failed": 1 - share}
        mixed = attempts(0.25, **{name: [(30, 10 * part)] for name, part in failing.items()})
        yield case(f"{share:.0%} time out", {**everywhere, **mixed}, 8, fires=fires)
        yield slow(f"{share:.0%} time out", {**everywhere, **mixed}, 8, fires=not fires)
    here = {**breaker(broken), **breaker([(30, 1)], "b")}
    yield case("one of two closed", here, 14, fires=False)
    yield process("one breaker not closed for 4.75 m", here, 9.75, fires=False)
    yield process("one breaker not closed for 5.25 m", here, 10.25, fires=True)
    for share, fires in ((0.48, False), (0.52, True)):
        late = attempt_times([(10, 0), (20, 60 * share)], [(10, 60), (20, 60 * (1 - share))])
        yield slow(f"{share:.0%} take longer", late, 15, fires=fires)
    late = attempt_times([(10, 0), (10, 60), (10, 0)], [(10, 60), (10, 0), (10, 60)])
    yield slow("slow for 1 m", late, 11, fires=False)
    yield slow("slow for 3 m", late, 13, fires=True)
    yield slow("fast again for 30 s", late, 20.5, fires=True)
    yield slow("fast again for 3 m", late, 23, fires=False)
    few = attempt_times([(30, 9.9)], [(30, 0)])
    yield slow("19.8 attempts in 2 m", few, 15, fires=False)
    enough = attempt_times([(30, 10.1)], [(30, 0)])
    yield slow("20.2 attempts in 2 m", enough, 15, fires=True)


def _corruption_cases() -> Iterator[Case]:
    def case(about: str, severity: str, series: Series, at: float, *, fires: bool) -> Case:
        return Case(about, "DocwardenCorruptionHigh", severity, series, at, fires)

    def share(of_them: float, minutes: float = 60, each: float = 1000) -> Series:
        bad = each * of_them
        return attempts(corrupt=[(minutes, bad)], intact=[(minutes, each - bad)])

    yield case("10 % corrupt", "critical", share(0.1), 50, fires=False)
    yield case("10 % corrupt", "warning", share(0.1), 50, fires=False)
    yield case("34 % corrupt", "critical", share(0.34), 50, fires=False)
    yield case("36 % corrupt", "critical", share(0.36), 50, fires=True)
    yield case("19 % corrupt", "warning", share(0.19), 50, fires=False)
    yield case("21 % corrupt", "warning", share(0.21), 50, fires=True)
    yield case("21 % corrupt for 14 m", "warning", share(0.21), 15, fires=False)
    yield case("21 % corrupt for 17 m", "warning", share(0.21), 18, fires=True)
    # 5 and 30 minutes: 9.9 and 1.66 answers a minute are a little less than 50, 10.1 and 1.68 more.
    for severity, few, enough in (("critical", 9.9, 10.1), ("warning", 1.66, 1.68)):
        yield case("too few answers", severity, share(0.9, each=few), 50, fires=False)
        yield case("just enough answers", severity, share(0.9, each=enough), 50, fires=True)
    storm = attempts(
        corrupt=[(30, 100), (10, 1000), (30, 100)], intact=[(30, 900), (10, 0), (30, 900)]
    )
    yield case("a storm's third minute", "critical", storm, 32, fires=False)
    yield case("a storm's fifth minute", "critical", storm, 34, fires=True)
    yield case("after a storm", "critical", storm, 40, fires=True)
    yield case("3 m after a storm", "critical", storm, 43, fires=False)
    wrong_type = attempts(**{"unsupported-type": [(60, 900)], "intact": [(60, 100)]})
    yield case("90 % error pages", "critical", wrong_type, 50, fires=True)
    down = attempts(**{"connect-failed": [(60, 900)], "intact": [(60, 100)]})
    yield case("90 % not reached", "critical", down, 50, fires=False)


def _shedding_cases() -> Iterator[Case]:
    def case(about: str, series: Series, at: float, *, fires: bool) -> Case:
        return Case(about, "DocwardenShedding", "critical", series, at, fires)

    def shed(*phases: tuple[float, float]) -> Series:
        return documents(
            overloaded=[(minutes, 1000 * share) for minutes, share in phases],
            delivered=[(minutes, 1000 * (1 - share)) for minutes, share in phases],
        )

    yield case("1.40 % refused", shed((90, 0.0140)), 80, fires=False)
    yield case("1.48 % refused", shed((90, 0.0148)), 80, fires=True)
    burst = shed((60, 0), (1, 0.8), (30, 0))
    yield case("80 % refused for one minute", burst, 63, fires=False)
    surge = shed((60, 0), (10, 0.8), (30, 0))
    yield case("80 % refused for two minutes", surge, 62, fires=False)
    yield case("80 % refused for four minutes", surge, 64, fires=True)
    yield case("over for 1 m", surge, 71, fires=True)
    yield case("over for 3 m", surge, 73, fires=False)
    other = documents(timeout=[(90, 500)], delivered=[(90, 500)])
    yield case("failures of another kind", other, 80, fires=False)


def _traffic_cases() -> Iterator[Case]:
    day = minutes_of("1d")

    def case(about: str, at: float, *phases: Phase, fires: bool) -> Case:
        series = documents(delivered=phases, step=5)
        return Case(about, "DocwardenNoTraffic", "warning", series, at, fires, step=5)

    busy, quiet = (day, 10), (120, 0)
    yield case("nothing for 25 m", day + 25, busy, quiet, fires=False)
    yield case("nothing for 35 m", day + 35, busy, quiet, fires=True)
    yield case("a request now and then", day + 35, busy, (120, 0.1), fires=False)
    yield case("nothing yesterday either", day + 35, (day + 120, 0), fires=False)


def _process_cases() -> Iterator[Case]:
    def case(about: str, alert: str, series: Series, at: float, *, fires: bool) -> Case:
        return Case(about, f"Docwarden{alert}", "warning", series, at, fires)

    def store(*phases: Phase, operation: str = "put") -> Series:
        name = f'docwarden_store_errors_total{{{TARGET},instance="a",operation="{operation}"}}'
        return {name: counter(*phases)}

    yield case("no store error", "StoreUnreachable", store((60, 0)), 50, fires=False)
    failing_store = store((30, 0), (30, 1))
    yield case("store errors for 9 m", "StoreUnreachable", failing_store, 40, fires=False)
    yield case("store errors for 12 m", "StoreUnreachable", failing_store, 42, fires=True)
    yield case(
        "one store error", "StoreUnreachable", store((30, 0), (1, 1), (30, 0)), 42, fires=False
    )

    crowd = store((60, 1000), operation="busy")
    yield case("reads left out in a crowd", "StoreUnreachable", crowd, 50, fires=False)
    away = {**crowd, **store((60, 1), operation="get")}
    yield case("a crowd, and no answer", "StoreUnreachable", away, 50, fires=True)

    def deep(crashes: float) -> Series:
        name = f'docwarden_deep_check_failures_total{{{TARGET},instance="a",kind="crash"}}'
        return {name: counter((30, 0), (1, crashes), (30, 0))}

    yield case("4 crashes in 15 m", "DeepCheckFailing", deep(4), 35, fires=False)
    yield case("5 crashes in 15 m", "DeepCheckFailing", deep(5), 35, fires=True)
    yield case("5 crashes 16 m ago", "DeepCheckFailing", deep(5), 47, fires=False)

    def stall(*phases: Phase) -> Series:
        return {f'docwarden_event_loop_stall_seconds{{{TARGET},instance="a"}}': gauge(*phases)}

    yield case("stalls of 0.49 s", "EventLoopStalled", stall((30, 0.49)), 20, fires=False)
    yield case("stalls of 0.51 s", "EventLoopStalled", stall((30, 0.51)), 20, fires=True)
    yield case("stalls for 4 m", "EventLoopStalled", stall((30, 0.51)), 4, fires=False)
    yield case("stalls for 6 m", "EventLoopStalled", stall((30, 0.51)), 6, fires=True)

    same = {**build("1.0.0", "a", 120), **build("1.0.0", "b", 120)}
    drift = {**build("1.0.0", "a", 120), **build("1.1.0", "b", 120)}
    yield case("one build twice", "BuildDrift", same, 90, fires=False)
    yield case("two builds for 59 m", "BuildDrift", drift, 59, fires=False)
    yield case("two builds for 61 m", "BuildDrift", drift, 61, fires=True)


def _machinery_cases() -> Iterator[Case]:
    """What holds burn-rate alerts back goes on for a while after the page has ended."""

    def case(about: str, at: float, *, fires: bool) -> Case:
        return Case(about, "DocwardenInhibitor", "none", pages, at, fires, step=0.25)

    pages = {**up((30, 1)), **breaker([(5, 1), (10, 0), (15, 1)])}
    yield case("the page is pending", 5.5, fires=False)
    yield case("the page fires", 10, fires=True)
    yield case("the page ended 3 m ago", 15.5 + 3, fires=True)
    yield case("the page ended 5 m ago", 15.5 + 5, fires=False)
