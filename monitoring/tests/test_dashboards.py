"""Every panel's query answers from a real gateway's metrics, and asks for none that is unknown."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docwarden.telemetry.catalog import DECLARED

from docwarden_monitoring.documents import DASHBOARDS, generate
from docwarden_monitoring.reference import alerts_page
from docwarden_monitoring.rules import BUDGET, ERRORS, RATIO, REQUESTS
from trial.clients import Clients
from trial.gateway import running_gateway
from trial.waiting import until
from trial.watch import Watch, running_watch

# Faults that let every panel see something: refused and only observed findings, errors, a 404.
FAULTS = ["status=503:5%", "junk-after:10%", "html:2%", "not-found:5%", "disconnect:2%"]
# As Grafana fills them in for the windows of the test.
VARIABLES = {
    "$__rate_interval": "10s",
    "$__range": "30s",
    "$job": "docwarden",
    # The target of the test has no such label, as outside Kubernetes.
    "$namespace": ".*",
    "$instance": ".*",
}
NAME = re.compile(r"\b(?:docwarden[_:]|http_server_|process_|up\b|scrape_)[\w:]*")
SUFFIXES = ("_total", "_bucket", "_count", "_sum")
OWN = ("process_cpu_seconds", "process_resident_memory_bytes", "process_open_fds",
       "process_max_fds", "process_start_time_seconds", "up")  # fmt: skip


def panels() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{dashboard.name}: {panel['title']}", panel)
        for dashboard in DASHBOARDS
        for panel in dashboard.model(runbooks="https://books.test/")["panels"]
        if panel["type"] != "row"
    ]


QUERIES = [
    pytest.param(target["expr"], id=f"{name} {target['refId']}")
    for name, panel in panels()
    for target in panel["targets"]
]
PANELS = [pytest.param(panel, id=name) for name, panel in panels()]


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    folder: Path = tmp_path_factory.mktemp("dashboards")
    settings = {"DOCWARDEN_STALE_IF_ERROR": "1m"}
    with (
        running_gateway(folder, **settings) as gateway,
        running_watch(folder, gateway) as running,
    ):
        gateway.upstream(faults=FAULTS)
        clients = Clients(gateway.url, threads=10, rate=80)
        until("a recorded budget", lambda: running.query(BUDGET)[1:])
        until(
            "observed findings",
            lambda: running.query("rate(docwarden_integrity_observations_total[10s]) > 0"),
        )
        yield running
        clients.stop()


@pytest.mark.parametrize("expr", QUERIES)
def test_query_of_a_panel_has_an_answer(watch: Watch, expr: str):
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    assert "$" not in expr

    def answered() -> bool:
        return any(not math.isnan(float(each["value"][1])) for each in watch.query(expr))

    until(f"an answer to {expr}", answered, patience=15)


@pytest.mark.parametrize("expr", QUERIES)
def test_query_of_a_panel_follows_the_variables(expr: str):
    """Whoever chooses a job, an installation or a process sees that one only."""
    selectors = re.findall(r"\{([^}]*)\}", expr)
    assert selectors
    for selector in selectors:
        assert 'job=~"$job"' in selector
        assert 'namespace=~"$namespace"' in selector
        assert 'instance=~"$instance"' in selector or "slo=" in selector


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.name)
def test_variables_follow_those_before_them_and_need_no_namespace(dashboard: Any):
    variables = dashboard.model(runbooks="")["templating"]["list"]
    _, job, *further = variables
    assert [each["name"] for each in further] == ["namespace", "instance"]
    before = [job["name"]]
    for each in further:
        for name in before:
            assert f'{name}=~"${name}"' in each["query"]["query"]
        # All of them, which also matches where the label is missing.
        assert (each["allValue"], each["current"]["value"]) == (".*", "$__all")
        before.append(each["name"])


@pytest.mark.parametrize("panel", PANELS)
def test_panel_has_unit_legends_thresholds_and_a_description(panel: dict[str, Any]):
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["unit"]
    assert defaults["thresholds"]["steps"][0]["value"] is None
    assert panel["description"].endswith(".")
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["legendFormat"]
    if panel["type"] in ("stat", "gauge") and panel["title"] != "Requests sent to you":
        assert len(defaults["thresholds"]["steps"]) > 1


def known(name: str) -> bool:
    declared = {each.name for each in DECLARED}
    if name.startswith("docwarden:"):
        return name in (BUDGET, ERRORS, REQUESTS) or name.startswith(RATIO)
    bare = next((name.removesuffix(each) for each in SUFFIXES if name.endswith(each)), name)
    return bare in declared or name in OWN or bare in OWN


@pytest.mark.parametrize("expr", QUERIES)
def test_panel_asks_for_known_metrics_only(expr: str):
    names = set(NAME.findall(re.sub(r'"[^"]*"', "", expr)))
    assert names
    assert [name for name in names if not known(name)] == []


def test_rules_ask_for_known_metrics_only(rules: list[dict[str, Any]]):
    names = {name for rule in rules for name in NAME.findall(re.sub(r'"[^"]*"', "", rule["expr"]))}
    assert len(names) > 10
    assert [name for name in names if not known(name)] == []


def test_results_and_outcomes_that_rules_name_exist_from_the_start(
    gateway: Any, rules: list[dict[str, Any]]
):
    """An alternative in a matcher that the service never writes would be silent for ever."""
    metrics = gateway.metrics()
    for label in ("result", "outcome"):
        for values in re.findall(
            rf'{label}[=!]~?"([^"]*)"', json.dumps([r["expr"] for r in rules]).replace('\\"', '"')
        ):
            for value in values.split("|"):
                assert f'{label}="{value}"}} 0.0' in metrics


def test_committed_files_are_what_the_generator_writes(repository: Path):
    folder = repository / "monitoring/generated"
    committed = {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }
    assert committed == generate(), "make monitoring"
    page = (repository / "docs/reference/alerts.md").read_text()
    assert page == alerts_page(), "make monitoring"


def test_panels_lie_side_by_side_without_overlap():
    for dashboard in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in dashboard.model(runbooks="")["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert place["x"] + place["w"] <= 24
            assert not cells & taken, panel["title"]
            taken |= cells


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.name)
def test_links_of_alerts_lead_to_a_dashboard(rules: list[dict[str, Any]], dashboard: Any):
    linked = {rule["annotations"]["dashboard_url"].rpartition("/")[2] for rule in rules}
    assert linked <= {each.uid for each in DASHBOARDS}
    assert dashboard.uid.startswith("docwarden-")
