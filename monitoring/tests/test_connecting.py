"""The configuration that docs/how-to/connect-monitoring.md gives, on the real programs."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from trial.gateway import Gateway
from trial.programs import Program, tool
from trial.waiting import fetch, until

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/how-to/connect-monitoring.md").read_text()
BLOCKS = re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL)


def block(name: str) -> str:
    return next(text for title, text in BLOCKS if title.endswith(name))


def test_prometheus_scrapes_with_the_configuration_of_the_page(gateway: Gateway, tmp_path: Path):
    text = block("prometheus.yml")
    configuration = yaml.safe_load(text)
    configuration["scrape_configs"][0]["static_configs"][0]["targets"] = [
        gateway.admin.removeprefix("http://")
    ]
    # Sooner, as nobody wants to wait for half a minute here.
    configuration["global"]["scrape_interval"] = "1s"
    configuration["rule_files"] = [str(REPOSITORY / each) for each in configuration["rule_files"]]
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration))
    subprocess.run([tool("promtool"), "check", "config", str(file)], check=True)
    program = Program(
        tmp_path / "prometheus.log",
        [
            tool("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={tmp_path}/data",
            "--web.listen-address=127.0.0.1:0",
        ],
    )
    try:
        program.find("Server is ready to receive web requests")
        url = f"http://127.0.0.1:{program.listening_port()}"
        query = re.search(r"```promql\n(.*?)\n```", PAGE)
        assert query

        def scraped() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = fetch(f"{url}/api/v1/query?query={query[1]}")["data"][
                "result"
            ]
            return [each for each in found if each["value"][1] == "1"]

        (target,) = until("a scrape", scraped)
        assert target["metric"]["namespace"] == "production"
        groups = fetch(f"{url}/api/v1/rules")["data"]["groups"]
        assert {group["name"] for group in groups} >= {"docwarden-causes", "docwarden-slo-latency"}
    finally:
        program.stop()


@pytest.mark.parametrize("name", [title for title, _ in BLOCKS])
def test_every_configuration_of_the_page_is_yaml(name: str):
    assert yaml.safe_load(block(name))


def test_the_page_scrapes_often_enough_for_the_rules(generated: dict[str, str]):
    interval = yaml.safe_load(block("prometheus.yml"))["global"]["scrape_interval"]
    minutes = [int(each) for each in re.findall(r"\[(\d+)m\]", generated["rules.yaml"])]
    assert int(interval.removesuffix("s")) * 2 <= min(minutes) * 60
