"""What `make stack` promises: documents, metrics, alerts, logs, dashboards."""

from urllib.parse import quote

import pytest

from containers import until
from load import get

LIMIT = 90


@pytest.fixture(scope="module")
def documents(stack):
    """How many documents arrived of forty."""
    url = stack.url("gateway", 8080)
    return [get(f"{url}/{number}")[0] for number in range(1, 41)].count(200)


def query(ask, text):
    answer = ask("prometheus", 9090, f"/api/v1/query?query={quote(text)}")
    return answer["data"]["result"] if answer else []


def test_documents_arrive(documents):
    assert documents >= 38


@pytest.mark.usefixtures("documents")
def test_prometheus_scrapes_the_gateway(ask):
    found = until(
        lambda: query(ask, 'docwarden_documents_total{outcome="delivered"} >= 38'),
        limit=LIMIT,
        what="the documents in Prometheus",
    )
    assert found[0]["metric"]["job"] == "docwarden"


def test_every_rule_is_loaded_and_none_is_in_trouble(ask):
    groups = until(
        lambda: (ask("prometheus", 9090, "/api/v1/rules") or {}).get("data", {}).get("groups"),
        limit=LIMIT,
        what="the rules",
    )
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["name"] for rule in rules} >= {"DocwardenDown", "DocwardenDeadMansSwitch"}
    assert [rule for rule in rules if rule["health"] == "err"] == []


def test_alerts_arrive_at_alertmanager(ask):
    # The switch fires always, so it shows that the way is open.
    alerts = until(
        lambda: ask("alertmanager", 9093, "/api/v2/alerts"), limit=LIMIT, what="an alert"
    )
    assert "DocwardenDeadMansSwitch" in {each["labels"]["alertname"] for each in alerts}


@pytest.mark.usefixtures("documents")
def test_log_lines_are_in_a_file_for_the_collector(stack):
    assert '"event.name":"process.ready"' in stack.compose("logs", "gateway")
    script = "print(open('/logs/gateway.log').read())"
    assert '"event.name":"process.ready"' in stack.compose(
        "exec", "-T", "gateway", "python", "-c", script
    )


def test_gateway_stops_in_order(stack):
    stack.compose("stop", "gateway", limit=120)
    assert '"event.name":"process.stopped"' in stack.compose("logs", "gateway")
