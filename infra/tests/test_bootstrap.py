"""From an account to an environment: against moto, with stand-ins for the programs that are run."""

import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from docwarden_cloud import bootstrap
from docwarden_cloud.cluster_access import reachable
from docwarden_cloud.delegation import delegated
from testkit.demo_account import build_demo

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")

MINE = ["--access=198.51.100.4/32", "--notify=me@example.org", "--engine=docker"]


def test_dry_run_says_what_each_step_does_and_costs_and_changes_nothing(account, tools, capfd):
    assert bootstrap.main(["demo", "--dry-run", *MINE]) == 0
    told = capfd.readouterr().out
    for step in ("cdk", "stacks", "cluster", "release", "look"):
        assert re.search(rf"^\d\. {step}: .* \(.+\)$", told, re.MULTILINE), step
    assert "docwarden-demo costs about $142.49 a month." in told
    assert "vCPUs of standard machines" in told
    assert tools.noted() == []


def test_what_is_wrong_stops_it_before_anything_is_changed(account, tools, capfd):
    assert bootstrap.main(["demo", "--engine=docker"]) == bootstrap.WRONG
    assert "Nothing was changed" in capfd.readouterr().out
    assert tools.noted() == []


def taken(into: list[list[str]]) -> Callable[[list[str]], int]:
    def take(given: list[str]) -> int:
        into.append(given)
        return 0

    return take


def test_one_command_leads_to_a_release(account, tools, capfd, monkeypatch):
    build_demo(account)  # what the stand-in for cdk does not do
    monkeypatch.setattr(bootstrap, "reachable", lambda _eks, _name: True)
    outputs: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "push_image", lambda *_given, **_more: f"sha256:{'ab' * 32}")
    monkeypatch.setattr(bootstrap, "roll_out", taken(outputs))
    assert bootstrap.main(["demo", *MINE]) == 0, capfd.readouterr().err
    told = capfd.readouterr().out
    noted = tools.noted()
    personal = "--context=access=198.51.100.4/32 --context=notify=me@example.org"
    assert noted[0] == f"cdk bootstrap aws://123456789012/us-east-2 {personal}"
    assert noted[1].startswith("cdk deploy docwarden-demo/* --require-approval=never")
    assert noted[1].endswith(personal)
    # The cluster is looked up by the account's rights, and used as its administrator.
    role = "arn:aws:iam::123456789012:role/docwarden-demo-cluster-admin"
    assert noted[2] == (
        f"aws eks update-kubeconfig --name docwarden-demo --region us-east-2 --role-arn {role}"
    )
    assert noted[3].startswith("kubectl apply --filename ")
    assert noted[3].endswith("infra/cluster/prepare.yaml")
    (given,) = outputs
    assert "--as-administrator" in given
    assert "- Service: <http://" in told
    assert "- Dashboard: <https://us-east-2.console.aws.amazon.com/cloudwatch/home>" in told


def test_one_step_can_be_done_alone(account, tools, capfd, monkeypatch):
    monkeypatch.setattr(bootstrap, "reachable", lambda _eks, _name: True)
    assert bootstrap.main(["demo", "--only=cluster", *MINE]) == 0
    assert [call.split()[0] for call in tools.noted()] == ["aws", "kubectl"]


def test_a_private_api_asks_for_a_person_inside(account, tools, capfd, monkeypatch):
    monkeypatch.setattr(bootstrap, "reachable", lambda _eks, _name: False)
    assert bootstrap.main(["demo", "--only=cluster", *MINE]) == bootstrap.WAITS
    assert "ONLY=cluster` in a CloudShell VPC environment" in capfd.readouterr().out
    assert tools.noted() == []


def test_a_zone_that_is_not_delegated_to_asks_for_a_person(tools):
    servers = ["ns-1.awsdns-00.com", "ns-2.awsdns-00.net"]
    assert not delegated("docwarden.example", servers)
    tools.script("dig", "printf 'NS-2.awsdns-00.net.\\nns-1.awsdns-00.com.\\n'")
    assert delegated("docwarden.example", servers)
    assert not delegated("docwarden.example", servers[:1])


def test_a_failed_step_is_named(account, tools, capfd):
    tools.script("cdk", "exit 3")
    assert bootstrap.main(["demo", *MINE]) == bootstrap.FAILED
    assert "failed in the step cdk; run this again" in capfd.readouterr().err


def test_reachable_is_what_takes_a_connection():
    class Eks:
        def __init__(self, endpoint: str) -> None:
            self._endpoint = endpoint

        def describe_cluster(self, name: str) -> dict[str, dict[str, str]]:
            assert name == "docwarden-demo"
            return {"cluster": {"endpoint": self._endpoint}}

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert reachable(Eks(f"https://127.0.0.1:{port}"), "docwarden-demo")
    assert not reachable(Eks(f"https://127.0.0.1:{port}"), "docwarden-demo")


def test_the_cluster_gets_what_pods_and_deployers_need():
    made = {
        (each["kind"], each["metadata"]["name"]): each
        for each in yaml.safe_load_all((ROOT / "infra" / "cluster" / "prepare.yaml").read_text())
    }
    namespace = made["Namespace", "docwarden"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    (subject,) = made["RoleBinding", "target-group-bindings"]["subjects"]
    assert subject["name"] == "docwarden-deployers"
