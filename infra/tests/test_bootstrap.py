"""From an account to an environment: against moto, with stand-ins for the programs that are run."""

import json
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from docwarden_cloud import bootstrap, preflight, teardown
from docwarden_cloud.cluster_access import reachable
from docwarden_cloud.delegation import delegated
from docwarden_cloud.local_image import push_image
from docwarden_cloud.preflight import Finding, look
from docwarden_cloud.values import DEMO, PRODUCTION, STAGING
from testkit.moto_cloud import moto_cloud

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


class Tools(NamedTuple):
    folder: Path
    log: Path

    def noted(self) -> list[str]:
        return self.log.read_text().splitlines()

    def script(self, name: str, text: str) -> str:
        tool = self.folder / name
        tool.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.log}"\n{text}\n')
        tool.chmod(0o755)
        return str(tool)


@pytest.fixture(scope="module")
def moto():
    with moto_cloud("us-east-2") as cloud:
        yield cloud


ask_iam = preflight.rights


@pytest.fixture
def aws(moto, monkeypatch):
    moto.forget()
    # moto's IAM simulates nothing.
    allowed = [Finding("ok", "may do it all")]
    monkeypatch.setattr(preflight, "rights", lambda *_given: allowed)
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return moto


@pytest.fixture
def tools(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    made = Tools(folder, tmp_path / "calls")
    made.log.touch()
    for name in ("aws", "dig", "docker", "helm", "kubectl", "make", "node"):
        made.script(name, "")
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    cdk = made.script("cdk", "")
    monkeypatch.setattr(bootstrap, "CDK", Path(cdk))
    monkeypatch.setattr(teardown, "CDK", Path(cdk))
    return made


class CodeBuild:
    """moto's keeps no source credentials."""

    def __init__(self, *servers: str) -> None:
        self._servers = servers

    def list_source_credentials(self) -> dict[str, list[dict[str, str]]]:
        return {"sourceCredentialsInfos": [{"serverType": each} for each in self._servers]}


def findings(environment, aws, tools=(), codebuild=CodeBuild()) -> list[Finding]:  # noqa: B008  it never changes
    def client(service: str) -> Any:
        return codebuild if service == "codebuild" else aws.client(service)

    return list(look(environment, client, tools=tools))


def built(cloud) -> str:
    """Leave what the steps ask for: stacks with outputs, a bucket, a cluster. Yields the bucket."""
    outputs = {
        "RepositoryUri": "123456789012.dkr.ecr.us-east-2.amazonaws.com/docwarden",
        "Url": "http://balancer.example/",
        "DashboardUrl": "https://us-east-2.console.aws.amazon.com/cloudwatch/home",
    }
    template = {
        "Resources": {"AccessLogs": {"Type": "AWS::S3::Bucket"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    cloudformation = cloud.client("cloudformation")
    cloudformation.create_stack(StackName="docwarden-demo-edge", TemplateBody=json.dumps(template))
    cloud.client("eks").create_cluster(
        name="docwarden-demo", roleArn="arn:aws:iam::123456789012:role/x", resourcesVpcConfig={}
    )
    cloud.client("logs").create_log_group(logGroupName="/aws/eks/docwarden-demo/cluster")
    (bucket,) = cloudformation.describe_stack_resources(StackName="docwarden-demo-edge")[
        "StackResources"
    ]
    return str(bucket["PhysicalResourceId"])


def wrong(found: list[Finding]) -> str:
    return "\n".join(each.text for each in found if each.verdict == "wrong")


def test_placeholders_are_told_before_anything_is_built(aws):
    assert "set ACCESS=" in wrong(findings(DEMO, aws))
    assert "alarms go to docwarden-demo@docwarden.example" in wrong(findings(DEMO, aws))
    told = wrong(findings(STAGING, aws))
    assert "domain is staging.docwarden.example" in told
    assert "gh api repos/docwarden/docwarden --jq '.owner.id, .id'" in told


def test_a_missing_connection_to_github_names_the_one_step_of_a_browser(aws):
    assert "CodeBuild has no connection to GitHub: in the console" in wrong(findings(STAGING, aws))
    found = findings(STAGING, aws, codebuild=CodeBuild("BITBUCKET", "GITHUB"))
    assert "CodeBuild has no connection" not in wrong(found)


def test_a_provider_of_the_account_is_found(aws):
    client = aws.client("iam")
    url = "https://token.actions.githubusercontent.com"
    client.create_open_id_connect_provider(Url=url, ThumbprintList=["0" * 40])
    assert "provider_exists=True" in wrong(findings(STAGING, aws))


def test_a_machine_that_is_not_offered_in_a_zone_is_found(aws):
    strange = DEMO.nodes[0].__class__(
        name="x86", architecture="amd64", instance_type="t99.medium", size=1
    )
    environment = DEMO.__class__(**{**vars(DEMO), "nodes": (strange,)})
    assert "t99.medium is not offered in us-east-2a, us-east-2b" in wrong(
        findings(environment, aws)
    )


def test_missing_programs_are_found(aws):
    found = findings(DEMO, aws, tools=("no-such-program",))
    assert "no-such-program is not installed" in wrong(found)


def test_a_right_that_is_refused_is_found():
    class Iam:
        def simulate_principal_policy(self, **_given):
            decisions = {"iam:CreateRole": "implicitDeny", "s3:CreateBucket": "allowed"}
            return {
                "EvaluationResults": [
                    {"EvalActionName": action, "EvalDecision": decision}
                    for action, decision in decisions.items()
                ]
            }

        def get_role(self, **given):
            assert given["RoleName"] == "Admin"
            return {"Role": {"Arn": "arn:aws:iam::123456789012:role/path/Admin"}}

    class Sts:
        def get_caller_identity(self) -> dict[str, str]:
            return {
                "Account": "123456789012",
                "Arn": "arn:aws:sts::123456789012:assumed-role/Admin/me",
            }

    clients = {"iam": Iam(), "sts": Sts()}
    told = list(ask_iam(DEMO, clients.__getitem__, Sts().get_caller_identity()["Arn"]))
    assert [each.verdict for each in told] == ["wrong"]
    assert "may not iam:CreateRole" in told[0].text


def test_quotas_are_compared_with_what_is_used(aws):
    for _ in range(5):  # moto starts with one, AWS allows five
        aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    told = wrong(findings(DEMO, aws))
    assert "VPCs: 6 used, 1 wanted, 5 allowed" in told
    assert "request-service-quota-increase --service-code vpc --quota-code L-F678F1CE" in told


MINE = ["--access=198.51.100.4/32", "--notify=me@example.org", "--engine=docker"]


def test_dry_run_says_what_each_step_does_and_costs_and_changes_nothing(aws, tools, capfd):
    assert bootstrap.main(["demo", "--dry-run", *MINE]) == 0
    told = capfd.readouterr().out
    for step in ("cdk", "stacks", "cluster", "release", "look"):
        assert re.search(rf"^\d\. {step}: .* \(.+\)$", told, re.MULTILINE), step
    assert "docwarden-demo costs about $142.49 a month." in told
    assert "vCPUs of standard machines" in told
    assert tools.noted() == []


def test_what_is_wrong_stops_it_before_anything_is_changed(aws, tools, capfd):
    assert bootstrap.main(["demo", "--engine=docker"]) == bootstrap.WRONG
    assert "Nothing was changed" in capfd.readouterr().out
    assert tools.noted() == []


def taken(into: list[list[str]]) -> Callable[[list[str]], int]:
    def take(given: list[str]) -> int:
        into.append(given)
        return 0

    return take


def test_one_command_leads_to_a_release(aws, tools, capfd, monkeypatch):
    built(aws)  # what the stand-in for cdk does not do
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


def test_one_step_can_be_done_alone(aws, tools, capfd, monkeypatch):
    monkeypatch.setattr(bootstrap, "reachable", lambda _eks, _name: True)
    assert bootstrap.main(["demo", "--only=cluster", *MINE]) == 0
    assert [call.split()[0] for call in tools.noted()] == ["aws", "kubectl"]


def test_a_private_api_asks_for_a_person_inside(aws, tools, capfd, monkeypatch):
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


def test_a_failed_step_is_named(aws, tools, capfd):
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


def test_one_command_takes_the_demo_down_and_leaves_no_logs(aws, tools):
    bucket = built(aws)
    s3 = aws.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for text in (b"first", b"second"):
        s3.put_object(Bucket=bucket, Key="alb/log", Body=text)
    s3.delete_object(Bucket=bucket, Key="alb/log")
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 2
    assert teardown.main(["demo"]) == 0
    held = s3.list_object_versions(Bucket=bucket)
    assert "Versions" not in held
    assert "DeleteMarkers" not in held
    calls = [call.split()[0] for call in tools.noted()]
    assert calls == ["aws", "kubectl", "helm", "kubectl", "cdk"]
    assert tools.noted()[-1] == "cdk destroy docwarden-demo/* --force"
    groups = aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws/eks/docwarden-demo/")
    assert groups["logGroups"] == []


def test_what_is_gone_already_is_no_reason_to_stop(aws, tools):
    assert teardown.main(["demo"]) == 0
    assert tools.noted() == ["cdk destroy docwarden-demo/* --force"]


def test_an_environment_that_keeps_its_data_is_not_taken_down(tools, capfd):
    with pytest.raises(SystemExit) as end:
        teardown.main([PRODUCTION.name])
    assert end.value.code == 2
    assert "keeps its data" in capfd.readouterr().err
    assert tools.noted() == []


def test_an_image_is_pushed_once_under_a_tag_of_what_it_is(aws, tools):
    ecr = aws.client("ecr")
    repository = ecr.create_repository(repositoryName="docwarden")["repository"]["repositoryUri"]
    manifest = json.dumps({"schemaVersion": 2, "config": {}, "layers": []})
    identity = "sha256:" + "cd" * 32
    tools.script(
        "docker", f'[[ $1 == image ]] && echo "{identity}"\n[[ $1 == login ]] && cat\nexit 0'
    )
    tag = f"build-{'cd' * 8}"
    with pytest.raises(LookupError, match="does not have what was pushed"):
        push_image(ecr, repository, engine="docker")  # the stand-in pushes nothing
    assert f"docker push {repository}:{tag}" in tools.noted()
    ecr.put_image(
        repositoryName="docwarden",
        imageManifest=manifest,
        imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
        imageTag=tag,
    )
    before = len(tools.noted())
    digest = push_image(ecr, repository, engine="docker")
    assert re.fullmatch("sha256:[0-9a-f]{64}", digest)
    assert not [call for call in tools.noted()[before:] if "push" in call]
