"""What an account lacks is found before anything is built in it."""

from typing import Any

import pytest

from docwarden_cloud import preflight
from docwarden_cloud.preflight import Finding, look
from docwarden_cloud.values import DEMO, STAGING

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")

ask_iam = preflight.rights


class CodeBuild:
    """moto's keeps no source credentials."""

    def __init__(self, *servers: str) -> None:
        self._servers = servers

    def list_source_credentials(self) -> dict[str, list[dict[str, str]]]:
        return {"sourceCredentialsInfos": [{"serverType": each} for each in self._servers]}


def findings(environment, account, tools=(), codebuild=CodeBuild()) -> list[Finding]:  # noqa: B008  it never changes
    def client(service: str) -> Any:
        return codebuild if service == "codebuild" else account.client(service)

    return list(look(environment, client, tools=tools))


def wrong(found: list[Finding]) -> str:
    return "\n".join(each.text for each in found if each.verdict == "wrong")


def test_placeholders_are_told_before_anything_is_built(account):
    assert "set ACCESS=" in wrong(findings(DEMO, account))
    assert "alarms go to docwarden-demo@docwarden.example" in wrong(findings(DEMO, account))
    told = wrong(findings(STAGING, account))
    assert "domain is staging.docwarden.example" in told
    assert "gh api repos/docwarden/docwarden --jq '.owner.id, .id'" in told


def test_a_missing_connection_to_github_names_the_one_step_of_a_browser(account):
    assert "CodeBuild has no connection to GitHub: in the console" in wrong(
        findings(STAGING, account)
    )
    found = findings(STAGING, account, codebuild=CodeBuild("BITBUCKET", "GITHUB"))
    assert "CodeBuild has no connection" not in wrong(found)


def test_a_provider_of_the_account_is_found(account):
    client = account.client("iam")
    url = "https://token.actions.githubusercontent.com"
    client.create_open_id_connect_provider(Url=url, ThumbprintList=["0" * 40])
    assert "provider_exists=True" in wrong(findings(STAGING, account))


def test_a_machine_that_is_not_offered_in_a_zone_is_found(account):
    strange = DEMO.nodes[0].__class__(
        name="x86", architecture="amd64", instance_type="t99.medium", size=1
    )
    environment = DEMO.__class__(**{**vars(DEMO), "nodes": (strange,)})
    assert "t99.medium is not offered in us-east-2a, us-east-2b" in wrong(
        findings(environment, account)
    )


def test_missing_programs_are_found(account):
    found = findings(DEMO, account, tools=("no-such-program",))
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


def test_quotas_are_compared_with_what_is_used(account):
    for _ in range(5):  # moto starts with one, AWS allows five
        account.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    told = wrong(findings(DEMO, account))
    assert "VPCs: 6 used, 1 wanted, 5 allowed" in told
    assert "request-service-quota-increase --service-code vpc --quota-code L-F678F1CE" in told
