"""What only the whole stack has, with the images of others: make test-stack STACK=whole."""

from urllib.parse import quote

from containers import until

LIMIT = 90


def test_log_lines_arrive_at_loki_under_the_dashboards_label(ask):
    text = quote('{job=~`.*docwarden.*`} | json | event_name="process.ready"')
    until(
        lambda: (
            (found := ask("loki", 3100, f"/loki/api/v1/query_range?query={text}"))
            and found["data"]["result"]
        ),
        limit=LIMIT,
        what="the line in Loki",
    )


def test_grafana_reaches_what_it_shows(ask):
    for uid in ("prometheus", "loki"):
        health = until(
            lambda uid=uid: ask("grafana", 3000, f"/api/datasources/uid/{uid}/health"),
            limit=LIMIT,
            what=uid,
        )
        assert health["status"] == "OK", health


def test_dashboards_are_there(ask):
    found = until(
        lambda: ask("grafana", 3000, "/api/search?type=dash-db"), limit=LIMIT, what="dashboards"
    )
    assert {"docwarden-service", "docwarden-upstream"} <= {each["uid"] for each in found}
