"""compose.yaml: what it names exists, and nothing of it is open to the network."""

import re
from pathlib import Path

import pytest
import yaml
from docwarden.settings.settings import variables

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]


def test_stack_has_gateway_upstream_metrics_dashboards_and_logs():
    assert set(SERVICES) == {"gateway", "simulator", "prometheus", "grafana", "loki", "logs"}


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_reachable_from_this_machine_only(name):
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_images_of_others_have_an_exact_version(name):
    image = SERVICES[name]["image"]
    assert image == "docwarden:dev" or re.search(r":v?\d+\.\d+\.\d+$", image)


@pytest.mark.parametrize("name", SERVICES)
def test_containers_have_no_capabilities(name):
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]


def test_variables_are_settings_of_the_gateway():
    given = {name for name in SERVICES["gateway"]["environment"] if name.startswith("DOCWARDEN_")}
    assert given <= set(variables())


def test_mounted_files_and_configurations_exist():
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source[0] == "." else source in COMPOSE["volumes"]
        for each in service.get("configs", ()):
            assert yaml.safe_load(COMPOSE["configs"][each["source"]]["content"])


def test_grace_period_is_longer_than_the_drain():
    defaults = {"DOCWARDEN_DRAIN_DELAY": 10, "DOCWARDEN_DRAIN_TIMEOUT": 20}
    assert not defaults.keys() & SERVICES["gateway"]["environment"].keys()
    assert int(SERVICES["gateway"]["stop_grace_period"].rstrip("s")) > sum(defaults.values())
