"""Every alert on both sides of every threshold and wait, judged by promtool."""

import itertools
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from docwarden_monitoring.objectives import BURNS, OBJECTIVES, Burn, Objective
from docwarden_monitoring.spans import read_duration
from trial.programs import tool

Series = dict[str, str]
Phase = tuple[float, float]  # so many minutes, so much more in each

TARGET = 'job="docwarden",namespace="docs"'
ALWAYS = {"DocwardenDeadMansSwitch"}


def counter(*phases: Phase, step: float = 1) -> str:
    """A counter that grows evenly in each phase, a sample each `step` minutes."""
    total, parts = 0.0, ["0"]
    for minutes, each in phases:
        count, growth = round(minutes / step), each * step
        parts.append(f"{total + growth:g}+{growth:g}x{count - 1}")
        total += growth * count
    return " ".join(parts)


def gauge(*phases: Phase, step: float = 1) -> str:
    """A value that is constant in each phase, a sample each `step` minutes."""
    return " ".join(f"{value:g}x{round(minutes / step) - 1}" for minutes, value in phases)


def documents(instance: str = "a", step: float = 1, **phases: Sequence[Phase]) -> Series:
    name = f'docwarden_documents_total{{{TARGET},instance="{instance}",outcome="%s"}}'
    return {name % outcome: counter(*each, step=step) for outcome, each in phases.items()}


def attempts(**phases: Sequence[Phase]) -> Series:
    name = f'docwarden_upstream_attempts_total{{{TARGET},instance="a",result="%s"}}'
    return {name % result: counter(*each) for result, each in phases.items()}


def deliveries(slow: Sequence[Phase], fast: Sequence[Phase]) -> Series:
    labels = f'{TARGET},instance="a",http_route="/{{id}}",http_response_status_code="200"'
    name = "http_server_request_duration_seconds"
    together = [(minutes, a + b) for (minutes, a), (_, b) in zip(slow, fast, strict=True)]
    return {
        f"{name}_count{{{labels}}}": counter(*together),
        f'{name}_bucket{{{labels},le="0.5"}}': counter(*fast),
    }


def breaker(closed: Sequence[Phase], instance: str = "a", step: float = 0.25) -> Series:
    name = f'docwarden_breaker_state{{{TARGET},instance="{instance}",state="closed"}}'
    return {name: gauge(*closed, step=step)}


def up(*phases: Phase, instance: str = "a", step: float = 0.25) -> Series:
    return {f'up{{{TARGET},instance="{instance}"}}': gauge(*phases, step=step)}


def build(version: str, instance: str, minutes: float) -> Series:
    labels = f'{TARGET},instance="{instance}",version="{version}",revision="r",python="3"'
    return {f"docwarden_build_info{{{labels}}}": gauge((minutes, 1))}


@dataclass(frozen=True)
class Case:
    """Series, and whether the alert fires after `at` minutes of them."""

    about: str
    alert: str
    severity: str
    series: Series
    at: float
    fires: bool
    window: str = ""
    step: float = 1

    def as_promtool(self) -> dict[str, Any]:
        selector = f'alertname="{self.alert}",severity="{self.severity}",alertstate="firing"'
        if self.window:
            selector += f',long_window="{self.window}"'
        return {
            "interval": f"{round(self.step * 60)}s",
            "input_series": [
                {"series": name, "values": values} for name, values in self.series.items()
            ],
            "promql_expr_test": [
                {
                    "expr": f"count (ALERTS{{{selector}}})",
                    "eval_time": f"{round(self.at * 60)}s",
                    "exp_samples": [{"labels": "{}", "value": 1}] if self.fires else [],
                }
            ],
        }


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
    last = minutes_of("5m") + (minutes_of(burn.outlast) if burn.outlast else 0)
    yield case("before its wait", broken, long + reached + wait - 1, fires=False)
    yield case("after its wait", broken, long + reached + wait + 2, fires=True)
    yield case("just mended", broken, long + 60 + last - 2, fires=True)
    yield case("mended for a while", broken, long + 60 + last + 1, fires=False)
    # One minute that loses less than the long window allows, however bad it looks in the short.
    brief = failing(objective, (long, 0), (1, min(1, threshold * long * 0.9)), (60, 0))
    for minutes in (2, 4):
        yield case(f"a brief fault, {minutes} m", brief, long + minutes, fires=False)


def few_cases(objective: Objective) -> Iterator[Case]:
    """Next to no traffic: so many minutes with so many bad requests, then good ones again."""
    fast, slow = (burn for burn in BURNS if burn.least)
    for burn, minutes, each, after, fires in (
        (fast, 4, 1, 8, False),
        (fast, 5, 1, 8, True),
        (slow, 16, 0.25, 18, False),
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


def cause_cases() -> Iterator[Case]:
    yield from _down_cases()
    yield from _upstream_cases()
    yield from _corruption_cases()
    yield from _shedding_cases()
    yield from _traffic_cases()
    yield from _process_cases()


def _down_cases() -> Iterator[Case]:
    def case(about: str, series: Series, at: float, *, fires: bool) -> Case:
        return Case(about, "DocwardenDown", "critical", series, at, fires, step=0.25)

    down = up((5, 1), (5, 0), (15, 1))
    yield case("every target up", up((5, 1)), 4, fires=False)
    yield case("no target up for 45 s", down, 5.75, fires=False)
    yield case("no target up for 75 s", down, 6.25, fires=True)
    yield case("up again for 6 m", down, 16, fires=True)
    yield case("up again for 8 m", down, 18, fires=False)
    yield case("no target known", {'up{job="other"}': "1x40"}, 5, fires=True)
    both = {**up((5, 1)), **up((5, 0), instance="b")}
    yield case("one of two up", both, 4, fires=False)

    def target(about: str, at: float, *, fires: bool) -> Case:
        series = {**up((5, 0), (5, 1)), **up((10, 1), instance="b")}
        return Case(about, "DocwardenTargetDown", "warning", series, at, fires, step=0.25)

    yield target("a target down for 4.75 m", 4.75, fires=False)
    gone = {**up((10, 0)), **up((10, 1), instance="b")}
    yield Case(
        "a target down for 5.25 m", "DocwardenTargetDown", "warning", gone, 5.25, True, step=0.25
    )
    yield target("up again", 6, fires=False)


def _upstream_cases() -> Iterator[Case]:
    def case(about: str, series: Series, at: float, *, fires: bool) -> Case:
        return Case(about, "DocwardenUpstreamDown", "critical", series, at, fires, step=0.25)

    def process(about: str, series: Series, at: float, *, fires: bool) -> Case:
        return Case(about, "DocwardenBreakerOpen", "warning", series, at, fires, step=0.25)

    broken = [(5, 1), (10, 0), (15, 1)]
    everywhere = {**breaker(broken), **breaker(broken, "b")}
    yield case("every breaker closed", everywhere, 4, fires=False)
    yield case("no breaker closed for 45 s", everywhere, 5.75, fires=False)
    yield case("no breaker closed for 75 s", everywhere, 6.25, fires=True)
    yield case("closed again for 6 m", everywhere, 21, fires=True)
    yield case("closed again for 8 m", everywhere, 23, fires=False)
    here = {**breaker(broken), **breaker([(30, 1)], "b")}
    yield case("one of two closed", here, 14, fires=False)
    yield process("one breaker not closed for 4.75 m", here, 9.75, fires=False)
    yield process("one breaker not closed for 5.25 m", here, 10.25, fires=True)


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
    yield case("after a storm", "critical", storm, 42 + 7, fires=True)
    yield case("long after a storm", "critical", storm, 45 + 8, fires=False)
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
    yield case("over for 10 m", surge, 80, fires=True)
    yield case("over for 14 m", surge, 84, fires=False)
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
    def case(
        about: str, alert: str, series: Series, at: float, *, fires: bool, step: float = 1
    ) -> Case:
        return Case(about, f"Docwarden{alert}", "warning", series, at, fires, step=step)

    def store(*phases: Phase) -> Series:
        name = f'docwarden_store_errors_total{{{TARGET},instance="a",operation="put"}}'
        return {name: counter(*phases)}

    yield case("no store error", "StoreUnreachable", store((60, 0)), 50, fires=False)
    failing_store = store((30, 0), (30, 1))
    yield case("store errors for 9 m", "StoreUnreachable", failing_store, 40, fires=False)
    yield case("store errors for 12 m", "StoreUnreachable", failing_store, 42, fires=True)
    yield case(
        "one store error", "StoreUnreachable", store((30, 0), (1, 1), (30, 0)), 42, fires=False
    )

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


CASES = [
    *itertools.chain.from_iterable(
        itertools.chain(
            itertools.chain.from_iterable(burn_cases(objective, burn) for burn in BURNS),
            few_cases(objective),
        )
        for objective in OBJECTIVES
    ),
    *cause_cases(),
    Case("always", "DocwardenDeadMansSwitch", "none", {"up": "1x10"}, 0, True),
]


def promtool(folder: Path, rules: str, tests: list[dict[str, Any]], step: str) -> str:
    """Run promtool's unit tests; return what it found wrong, which is nothing when all is well."""
    (folder / "rules.yaml").write_text(rules)
    suite = {"rule_files": ["rules.yaml"], "evaluation_interval": step, "tests": tests}
    (folder / "tests.yaml").write_text(yaml.safe_dump(suite))
    run = subprocess.run(
        [tool("promtool"), "test", "rules", "tests.yaml"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return "" if run.returncode == 0 else run.stdout + run.stderr


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.alert} {case.severity} {case.about}"
)
def test_alert_fires_exactly_when_it_should(tmp_path: Path, generated: dict[str, str], case: Case):
    test = case.as_promtool()
    # Only the groups that decide, as three days of every rule take a minute.
    content = yaml.safe_load(generated["rules.yaml"])
    needed = next((each.slo for each in OBJECTIVES if each.alert == case.alert), "causes")
    content["groups"] = [each for each in content["groups"] if needed in each["name"]]
    assert promtool(tmp_path, yaml.safe_dump(content), [test], test["interval"]) == ""


def test_every_rule_is_tested_on_both_sides(rules: list[dict[str, Any]]):
    def sides(name: str, severity: str, window: str) -> set[bool]:
        return {
            case.fires
            for case in CASES
            if (case.alert, case.severity, case.window) == (name, severity, window)
        }

    for rule in rules:
        labels = rule["labels"]
        seen = sides(rule["alert"], labels["severity"], labels.get("long_window", ""))
        assert seen == ({True} if rule["alert"] in ALWAYS else {True, False}), rule


def test_promtool_finds_the_rules_valid(tmp_path: Path, generated: dict[str, str]):
    (tmp_path / "rules.yaml").write_text(generated["rules.yaml"])
    subprocess.run(
        [tool("promtool"), "check", "rules", "--lint-fatal", "rules.yaml"], cwd=tmp_path, check=True
    )


def test_amtool_finds_the_configuration_valid(tmp_path: Path, generated: dict[str, str]):
    (tmp_path / "alertmanager.yaml").write_text(generated["alertmanager.yaml"])
    subprocess.run([tool("amtool"), "check-config", "alertmanager.yaml"], cwd=tmp_path, check=True)


def test_a_page_says_how_much_failed_and_what(tmp_path: Path, generated: dict[str, str]):
    series = documents(
        timeout=[(70, 20)],
        circuit_open=[(70, 30)],
        delivered=[(70, 950)],
        client_closed=[(70, 500)],
    )
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {
                "alertname": "DocwardenDocumentsBudgetBurn",
                "eval_time": "10m",
                "exp_alerts": [
                    {
                        "exp_labels": {
                            "severity": "critical", "slo": "documents", "job": "docwarden",
                            "namespace": "docs", "long_window": "1h", "short_window": "5m",
                        },
                        "exp_annotations": {
                            "summary": "The error budget of documents delivered intact burns at"
                            " 14.4 times the speed that is allowed.",
                            "description": "5% of the requests of 1h brought no intact document;"
                            " the promise allows 0.1%. At 14.4 times that, the budget of 30d is"
                            " gone in 50 hours. Commonest outcomes: circuit_open (500m/s)"
                            " timeout (333.3m/s).",
                            "runbook_url": "https://docwarden.example/runbooks/"
                            "DocwardenDocumentsBudgetBurn.html",
                            "dashboard_url": "https://grafana.example/d/docwarden-service",
                        },
                    }
                ],
            }
        ],
    }  # fmt: skip
    assert promtool(tmp_path, generated["rules.yaml"], [test], "1m") == ""
