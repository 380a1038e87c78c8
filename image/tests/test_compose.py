"""compose.yaml: what it names exists, and nothing of it is open to the network.

image/stack_tests run it.
"""

import re
from pathlib import Path

import pytest
import yaml
from docwarden.settings.settings import variables

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = "${STACK_IMAGE:-localhost/docwarden:test}"
PORTS_OF_THE_DEMO = {"8080", "8081", "3000", "3001"}


def ports(name):
    return [port.rsplit(":", 2) for port in SERVICES[name].get("ports", ())]


def test_stack_has_gateway_upstream_metrics_alerts_logs_and_dashboards():
    assert set(SERVICES) == {
        *("gateway", "simulator", "prometheus", "alertmanager"),
        *("loki", "collector", "grafana"),
    }


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_reachable_from_this_machine_only(name):
    assert {address for address, _, _ in ports(name)} <= {"127.0.0.1"}


def test_no_port_is_taken_twice_or_by_the_demo():
    taken = [port for name in SERVICES for _, port, _ in ports(name)]
    assert len(taken) == len(set(taken))
    assert PORTS_OF_THE_DEMO.isdisjoint(taken)


def test_every_port_is_told_where_one_looks_for_it():
    taken = {port for name in SERVICES for _, port, _ in ports(name)}
    for file in ("compose.yaml", "image/stack/up.sh"):
        told = set(re.findall(r"http://localhost:(\d+)", (ROOT / file).read_text()))
        assert told == taken, file


@pytest.mark.parametrize("name", SERVICES)
def test_images_of_others_have_their_registry_and_an_exact_version(name):
    # Podman asks, or refuses, where the registry is not named.
    image = SERVICES[name]["image"]
    assert image == OURS or re.fullmatch(r"docker\.io/[\w/-]+:v?\d+\.\d+\.\d+", image)


@pytest.mark.parametrize("name", SERVICES)
def test_containers_have_no_capabilities_and_write_to_volumes_only(name):
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]
    assert SERVICES[name]["read_only"] is True


def test_variables_are_settings_of_the_gateway():
    given = {name for name in SERVICES["gateway"]["environment"] if name.startswith("DOCWARDEN_")}
    assert given <= set(variables())


def test_mounted_files_exist_and_are_readable_under_selinux():
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source[0] == ".":
                assert (ROOT / source).exists(), source
                assert volume.endswith(":ro,z"), volume
            else:
                assert source in COMPOSE["volumes"]


def test_grace_period_is_longer_than_the_drain():
    defaults = {"DOCWARDEN_DRAIN_DELAY": 10, "DOCWARDEN_DRAIN_TIMEOUT": 20}
    assert not defaults.keys() & SERVICES["gateway"]["environment"].keys()
    assert int(SERVICES["gateway"]["stop_grace_period"].rstrip("s")) > sum(defaults.values())
