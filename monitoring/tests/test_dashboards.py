"""Every panel's query answers from a real gateway's metrics, and asks for none that is unknown."""

import json
import math
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docwarden.telemetry.catalog import DECLARED

from docwarden_monitoring.documents import DASHBOARDS, generate
from docwarden_monitoring.objectives import OBJECTIVES
from docwarden_monitoring.recorded import BUDGET, ERRORS, RATIO, REQUESTS
from docwarden_monitoring.reference import alerts_page
from docwarden_monitoring.transitions import TRANSITIONS
from trial.clients import Clients
from trial.gateway import running_gateway
from trial.waiting import until
from trial.watch import Watch, running_watch

# Faults that let every panel see something: refused and only observed findings, errors, a 404.
FAULTS = [
    "status=503:5%", "junk-after:10%", "html:2%", "not-found:5%", "disconnect:2%", "delay=600ms:2%",
]  # fmt: skip
# As Grafana fills them in for the windows of the test.
VARIABLES = {
    "$__rate_interval": "10s",
    "$__range": "30s",
    "$job": "docwarden",
    # The target of the test has no such label, as outside Kubernetes.
    "$namespace": ".*",
    "$instance": ".*",
}
# What a link's series may be of.
LABELS = {
    "outcome": "delivered",
    "reason": "pdf-startxref-wrong",
    "result": "corrupt",
    "http_response_status_code": "200",
}
BURNING = {each.alert: each.failed for each in OBJECTIVES}
NAME = re.compile(r"\b(?:ALERTS|docwarden[_:]|http_server_|process_|up\b|scrape_)[\w:]*")
SUFFIXES = ("_total", "_bucket", "_count", "_sum")
OWN = ("process_cpu_seconds", "process_resident_memory_bytes", "process_open_fds",
       "process_max_fds", "process_start_time_seconds", "up", "ALERTS")  # fmt: skip


def explored(url: str) -> str:
    """The query of a link to Explore, as a browser reads the address."""
    panes = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["panes"][0]
    query: str = json.loads(panes)["logs"]["queries"][0]["expr"]
    return query


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
    if panel["type"] != "logs"
]
LOG_QUERIES = [
    *(
        pytest.param(target["expr"], id=f"{name} {target['refId']}")
        for name, panel in panels()
        for target in panel["targets"]
        if panel["type"] == "logs"
    ),
    *(
        pytest.param(explored(link["url"]), id=f"link of {name}")
        for name, panel in panels()
        for link in panel["fieldConfig"]["defaults"].get("links", ())
    ),
]
ANNOTATIONS = [
    pytest.param(each, id=f"{dashboard.name}: {each['name']}")
    for dashboard in DASHBOARDS
    for each in dashboard.model(runbooks="")["annotations"]["list"]
]
PANELS = [pytest.param(panel, id=name) for name, panel in panels()]


def filled(expr: str) -> str:
    """The query with every variable filled in."""
    for name, value in VARIABLES.items():
        expr = expr.replace(name, value)
    assert "$" not in expr
    return expr


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    folder: Path = tmp_path_factory.mktemp("dashboards")
    settings = {"DOCWARDEN_STALE_IF_ERROR": "1m"}
    with (
        running_gateway(folder, **settings) as gateway,
        running_watch(folder, gateway) as running,
    ):
        gateway.upstream(mix={"corrupt-pdf": 1})
        clients = Clients(gateway.url, threads=10, rate=80)
        until("a refusal", lambda: clients.answers.get(502))
        gateway.upstream(mix={"png": 50, "pdf": 40, "corrupt-pdf": 10}, faults=FAULTS)
        until("a recorded budget", lambda: running.query(BUDGET)[1:])
        until(
            "observed findings",
            lambda: running.query("rate(docwarden_integrity_observations_total[10s]) > 0"),
        )
        yield running
        clients.stop()


@pytest.mark.parametrize("expr", QUERIES)
def test_query_of_a_panel_has_an_answer(watch: Watch, expr: str):
    expr = filled(expr)

    def answered() -> bool:
        return any(not math.isnan(float(each["value"][1])) for each in watch.query(expr))

    until(f"an answer to {expr}", answered, patience=15)


@pytest.mark.parametrize("expr", QUERIES)
def test_query_of_a_panel_follows_the_variables(expr: str):
    """Whoever chooses a job, an installation or a process sees that one only."""
    selectors = re.findall(r"(\w+)\{([^}]*)\}", expr)
    assert selectors
    for name, selector in selectors:
        assert 'job=~"$job"' in selector
        assert 'namespace=~"$namespace"' in selector
        # Alerts and recorded shares are an installation's.
        of_all = "slo=" in selector or name in ("ALERTS", "up")
        assert 'instance=~"$instance"' in selector or of_all


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda each: each.name)
def test_variables_follow_those_before_them_and_need_no_namespace(dashboard: Any):
    variables = dashboard.model(runbooks="")["templating"]["list"]
    metrics, job, *further, logs, stream = variables
    assert (metrics["query"], logs["query"]) == ("prometheus", "loki")
    # Links carry it inside of a JSON string.
    assert '"' not in stream["current"]["value"]
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
    if panel["type"] in ("stat", "gauge", "state-timeline"):
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


def test_links_of_alerts_lead_to_the_panel_that_shows_them(rules: list[dict[str, Any]]):
    for rule in rules:
        url = urllib.parse.urlsplit(rule["annotations"]["dashboard_url"])
        dashboard = next(each for each in DASHBOARDS if url.path == f"/d/{each.uid}")
        number = int(urllib.parse.parse_qs(url.query)["viewPanel"][0])
        shown = next(
            panel for panel in dashboard.model(runbooks="")["panels"] if panel["id"] == number
        )
        if rule["labels"]["severity"] == "none":
            assert shown["title"] == "Alerts firing"
            continue
        asked = {
            name
            for target in shown["targets"]
            for name in NAME.findall(re.sub(r'"[^"]*"', "", target["expr"]))
        }
        wanted = set(NAME.findall(re.sub(r'"[^"]*"', "", rule["expr"])))
        if rule["alert"] in BURNING:
            wanted = set(NAME.findall(re.sub(r'"[^"]*"', "", BURNING[rule["alert"]])))
        assert asked & wanted, (rule["alert"], shown["title"])


@pytest.mark.parametrize("annotation", ANNOTATIONS)
def test_transition_on_the_time_axis_is_a_query_that_runs(watch: Watch, annotation: dict[str, Any]):
    watch.query(filled(annotation["expr"]))
    assert annotation["target"]["expr"] == annotation["expr"]


def test_open_breakers_and_starts_show_on_the_time_axis(watch: Watch):
    queries = {each.name: each.expr for each in TRANSITIONS}
    # The process of the test is younger than a minute for a minute only.
    started = f"max_over_time(({queries['Process started']})[10m:1s])"
    opened = f"max_over_time(({queries['Breaker open']})[10m:1s])"
    watch.gateway.upstream(listening=False)
    for expr in map(filled, (started, opened)):
        until(f"an answer to {expr}", lambda expr=expr: watch.query(expr))
    watch.gateway.upstream(listening=True)


@pytest.mark.parametrize("query", LOG_QUERIES)
def test_query_for_logs_finds_lines_of_a_real_gateway(watch: Watch, query: str):
    """Its text filters stand in the lines, its fields are theirs, named as Loki names them."""
    stream, *stages = re.split(r" (?=\||!=)", query)
    assert stream == "{$stream}"
    for label, value in LABELS.items():
        stages = [stage.replace(f"${{__field.labels.{label}}}", value) for stage in stages]

    def found() -> list[str]:
        return [line for line in watch.gateway.log.read_text().splitlines() if passes(line, stages)]

    until(f"lines for {query}", found, patience=15)


def passes(line: str, stages: list[str]) -> bool:
    """Whether a line passes the filters of a LogQL pipeline of the few kinds that are used."""
    try:
        fields = {name.replace(".", "_"): value for name, value in json.loads(line).items()}
    except ValueError:
        return False
    for stage in stages:
        if match := re.fullmatch(r'(\|=|!=) ["`](.*)["`]', stage):
            if (match[2] in line) != (match[1] == "|="):
                return False
        elif match := re.fullmatch(r'\| (\w+) ?(!=|=|>) ?"?([^"]*)"?', stage):
            value = fields.get(match[1], "")
            compare = {
                "=": str(value) == match[3],
                "!=": str(value) != match[3],
                ">": match[2] == ">" and float(value or 0) > float(match[3]),
            }
            if not compare[match[2]]:
                return False
        elif match := re.fullmatch(r'\| line_format "(.*)"', stage):
            assert set(re.findall(r"\{\{\.(\w+)\}\}", match[1])) <= fields.keys()
        else:
            assert stage == "| json", stage
    return True
