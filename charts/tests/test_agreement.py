"""The chart agrees with the gateway that it installs, and its page with the chart."""

import json
import os
import re
import subprocess

import pytest
import yaml

NAMES = re.compile(r"\bDOCWARDEN_[A-Z0-9_]+\b")
LOAD = "from docwarden.settings.loading import load; load()"
LIST = """
import json
from docwarden import __version__
from docwarden.settings.settings import variables
print(json.dumps({"version": __version__, "settings": sorted(variables())}))
"""


def gateway(script, environ=None):
    """Run `script` with the gateway's own interpreter, in an environment of its own."""
    return subprocess.run(
        [os.environ["GATEWAY_PYTHON"], "-c", script],
        env=environ or {},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def known():
    done = gateway(LIST)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_setting_that_the_chart_mentions_exists(chart, known):
    mentioned = {
        name
        for path in chart.rglob("*")
        if path.is_file()
        for name in NAMES.findall(path.read_text())
    }
    assert len(mentioned) > 6
    assert mentioned - set(known["settings"]) == set()


def test_the_gateway_accepts_the_settings_that_the_chart_renders(render, values_file):
    data = render(values_file)["ConfigMap", "r-docwarden"]["data"]
    done = gateway(LOAD, data)
    assert done.returncode == 0, done.stderr


def test_the_gateway_would_refuse_a_wrong_setting(render, values_file):
    data = render(values_file)["ConfigMap", "r-docwarden"]["data"]
    done = gateway(LOAD, {**data, "DOCWARDEN_DRAIN_DELAY": "10"})
    assert "DOCWARDEN_DRAIN_DELAY" in done.stderr


@pytest.mark.parametrize(
    "url",
    ["redis://redis", "redis://:p@redis:7000", "rediss://u:1@redis/0", "rediss://[::1]:6380/0"],
)
def test_the_policy_opens_the_port_that_the_gateway_takes_from_the_store_s_url(render, url):
    values = {"simulator": {"enabled": True}, "store": {"url": url}}
    policy = render(values=values)["NetworkPolicy", "r-docwarden"]["spec"]
    (port,) = policy["egress"][2]["ports"]
    program = "from docwarden.fetching.store.redis_url import address; "
    done = gateway(f"{program}print(address({url!r}))")
    assert done.stdout.rpartition(":")[2].partition("/")[0] == str(port["port"])


def test_the_drain_takes_as_long_as_the_gateway_s_own_defaults(chart):
    done = gateway(
        "from docwarden.settings.settings import Settings; s = Settings();"
        "print(int(s.drain_delay), int(s.drain_timeout))"
    )
    drain = yaml.safe_load((chart / "values.yaml").read_text())["drain"]
    assert done.stdout.split() == [str(drain["delaySeconds"]), str(drain["timeoutSeconds"])]


def test_the_memory_limit_holds_what_the_gateway_may_buffer_and_keep(chart):
    done = gateway(
        "from docwarden.settings.settings import Settings; s = Settings();"
        "print(s.max_buffered_bytes + s.store_max_bytes)"
    )
    limit = yaml.safe_load((chart / "values.yaml").read_text())["resources"]["limits"]["memory"]
    assert int(limit.removesuffix("Mi")) * 1024**2 > 2 * int(done.stdout)


def test_the_chart_installs_the_version_that_it_lies_beside(chart, known):
    assert yaml.safe_load((chart / "Chart.yaml").read_text())["appVersion"] == known["version"]


def test_schema_page_and_readme_are_up_to_date(repository):
    done = subprocess.run(
        [os.environ["GATEWAY_PYTHON"], repository / "charts/reference.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_an_annotation_names_the_image_that_the_chart_installs_by_itself(render, chart):
    annotation = yaml.safe_load((chart / "Chart.yaml").read_text())["annotations"]
    (listed,) = yaml.safe_load(annotation["artifacthub.io/images"])
    objects = render(values={"simulator": {"enabled": True}})
    (container,) = objects["Deployment", "r-docwarden"]["spec"]["template"]["spec"]["containers"]
    assert listed["image"] == container["image"]


def test_every_value_has_a_comment(repository):
    rows = (repository / "docs/reference/chart.md").read_text().splitlines()
    values = [row.strip("|").split(" | ") for row in rows if row.startswith("| `")]
    assert len(values) > 50
    assert [value[0] for value in values if len(value[3].strip()) < 5] == []


def test_values_and_schema_have_the_same_keys(chart):
    values = yaml.safe_load((chart / "values.yaml").read_text())
    schema = json.loads((chart / "values.schema.json").read_text())["properties"]
    assert set(schema) - {"global"} == set(values)
    for name, node in schema.items():
        if name not in ("global", "env", "affinity") and "properties" in node:
            assert set(node["properties"]) == set(values[name]), name


def test_copies_of_rules_and_dashboards_are_the_originals(chart, repository):
    generated = repository / "monitoring/generated"
    originals = {"rules.yaml": generated / "rules.yaml"} | {
        f"dashboards/{path.name}": path for path in (generated / "dashboards").glob("*.json")
    }
    copies = {
        str(path.relative_to(chart / "files")): path
        for pattern in ("rules.yaml", "dashboards/*.json")
        for path in (chart / "files").glob(pattern)
    }
    assert len(originals) >= 2
    assert copies.keys() == originals.keys()
    for name, copy in copies.items():
        assert copy.read_text() == originals[name].read_text(), f"{name}: make chart-files"


def test_the_rules_select_the_job_that_the_service_monitor_names(render, chart):
    values = {"simulator": {"enabled": True}, "serviceMonitor": {"enabled": True}}
    objects = render(values=values)
    label = objects["ServiceMonitor", "r-docwarden"]["spec"]["jobLabel"]
    job = objects["Service", "r-docwarden-metrics"]["metadata"]["labels"][label]
    rules = (chart / "files/rules.yaml").read_text()
    assert set(re.findall(r'\bjob="([^"]*)"', rules)) == {job}


@pytest.mark.parametrize("interval", ["1m", "60s", "60000ms", "1s"])
def test_the_longest_interval_leaves_two_scrapes_in_the_rules_shortest_range(
    render, chart, interval
):
    monitor = {"enabled": True, "interval": interval}
    objects = render(values={"simulator": {"enabled": True}, "serviceMonitor": monitor})
    (endpoint,) = objects["ServiceMonitor", "r-docwarden"]["spec"]["endpoints"]
    assert endpoint["interval"] == interval
    units = {"s": 1, "m": 60, "h": 3600}
    rules = (chart / "files/rules.yaml").read_text()
    ranges = [int(n) * units[unit] for n, unit in re.findall(r"\[([0-9]+)([smh])\]", rules)]
    assert len(ranges) > 10
    assert min(ranges) >= 2 * 60


def test_rules_and_dashboards_arrive_in_the_cluster_as_they_are(render, chart):
    values = {
        "simulator": {"enabled": True},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "dashboards": {"enabled": True},
    }
    objects = render(values=values)
    rule = objects["PrometheusRule", "r-docwarden"]
    assert rule["spec"] == yaml.safe_load((chart / "files/rules.yaml").read_text())
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    dashboards = sorted((chart / "files/dashboards").glob("*.json"))
    assert dashboards
    for path in dashboards:
        config = objects["ConfigMap", f"r-docwarden-dashboard-{path.stem}"]
        assert config["data"] == {path.name: path.read_text()}
        assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
