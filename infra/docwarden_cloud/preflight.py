"""What has to be so before an environment is built, looked at without changing anything."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from docwarden_cloud.environments import ADMINISTRATOR, Environment

_GITHUB = "token.actions.githubusercontent.com"
_PLACEHOLDER = ".example"
_TEST_NETWORK = "203.0.113."  # RFC 5737: for documentation

Client = Callable[[str], Any]
"""Makes a boto3 client of a service."""


@dataclass(frozen=True)
class Finding:
    """Something that was looked at."""

    verdict: Literal["ok", "unknown", "wrong"]
    text: str


def look(environment: Environment, client: Client, *, tools: tuple[str, ...]) -> Iterator[Finding]:
    """Look at everything, one finding after the other."""
    yield from _values(environment)
    yield from _tools(tools)
    looks = (rights, _quotas, _machines, _github)
    try:
        caller = client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as problem:
        yield Finding("wrong", f"not signed in to AWS: {problem}")
        return
    if caller["Arn"].endswith(":root"):
        yield Finding("wrong", "signed in as the account's root user, which cannot assume a role")
    else:
        yield Finding("ok", f"signed in to account {caller['Account']} as {caller['Arn']}")
    for each in looks:
        try:
            yield from each(environment, client, caller["Arn"])
        except (BotoCoreError, ClientError) as refusal:
            yield Finding(
                "unknown", f"{each.__name__.strip('_')} could not be looked at: {refusal}"
            )


def _values(environment: Environment) -> Iterator[Finding]:
    where = "in infra/docwarden_cloud/values.py"
    if environment.domain and environment.domain.endswith(_PLACEHOLDER):
        yield Finding("wrong", f"domain is {environment.domain}; set yours {where}")
    for address in environment.alert_emails:
        if address.endswith(_PLACEHOLDER):
            yield Finding("wrong", f"alarms go to {address}; set NOTIFY=... or yours {where}")
    for cidr in environment.api_access_cidrs:
        if cidr.startswith(_TEST_NETWORK):
            yield Finding("wrong", "nobody can reach the cluster; set ACCESS=<your address>/32")
        elif cidr.endswith("/0"):
            yield Finding("wrong", f"{cidr} lets everybody try the cluster; say ACCESS=.../32")
    github = environment.github
    if github and github.repository_id < 1000:
        command = f"gh api repos/{github.slug} --jq '.owner.id, .id'"
        yield Finding("wrong", f"ids of {github.slug} are placeholders: `{command}` prints them")


def _tools(tools: tuple[str, ...]) -> Iterator[Finding]:
    for tool in tools:
        found = shutil.which(tool)
        yield (
            Finding("ok", f"{tool}: {found}")
            if found
            else Finding("wrong", f"{tool} is not installed")
        )


RIGHTS = (
    "cloudformation:CreateChangeSet",
    "cloudformation:DescribeStacks",
    "ecr:CreateRepository",
    "ecr:DescribeImages",
    "ecr:GetAuthorizationToken",
    "ecr:PutImage",
    "eks:DescribeCluster",
    "elasticloadbalancing:DescribeTargetHealth",
    "iam:CreateRole",
    "iam:PutRolePolicy",
    "s3:CreateBucket",
    "ssm:PutParameter",
    "sts:AssumeRole",
)
"""What the steps call as whoever is signed in; the rest is CloudFormation's role."""


def rights(environment: Environment, client: Client, caller: str) -> Iterator[Finding]:
    """Ask IAM whether whoever is signed in may do what the steps do."""
    iam = client("iam")
    judged = iam.simulate_principal_policy(
        PolicySourceArn=_principal(iam, caller), ActionNames=list(RIGHTS)
    )["EvaluationResults"]
    missing = [each["EvalActionName"] for each in judged if each["EvalDecision"] != "allowed"]
    if missing:
        yield Finding("wrong", f"{caller} may not {', '.join(missing)}")
    else:
        role = f"{environment.prefix}-{ADMINISTRATOR}"
        yield Finding("ok", f"all {len(RIGHTS)} permissions that the steps need, including {role}")


def _principal(iam: Any, caller: str) -> str:
    """The role behind a session: IAM judges roles and users, not sessions."""
    if ":assumed-role/" not in caller:
        return caller
    arn: str = iam.get_role(RoleName=caller.split("/")[1])["Role"]["Arn"]
    return arn


def _quotas(environment: Environment, client: Client, _caller: str) -> Iterator[Finding]:
    ec2, quotas = client("ec2"), client("service-quotas")
    vpcs = len(ec2.describe_vpcs()["Vpcs"])
    addresses = len(ec2.describe_addresses()["Addresses"])
    running = [
        machine.get("CpuOptions", {}).get("CoreCount", 1) * 2
        for page in ec2.get_paginator("describe_instances").paginate(
            Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        )
        for reservation in page["Reservations"]
        for machine in reservation["Instances"]
    ]
    # Types named in values.py have two vCPUs; an update of a group starts one node more.
    cores = sum(2 * (group.size + 1) for group in environment.nodes)
    for service, code, what, used, wanted in (
        ("vpc", "L-F678F1CE", "VPCs", vpcs, 1),
        ("ec2", "L-0263D0A3", "elastic addresses", addresses, environment.nat_gateways),
        ("ec2", "L-1216C47A", "vCPUs of standard machines", sum(running), cores),
    ):
        yield _quota(quotas, service, code, what, used=used, wanted=wanted)


def _quota(quotas: Any, service: str, code: str, what: str, *, used: int, wanted: int) -> Finding:
    try:
        most = quotas.get_service_quota(ServiceCode=service, QuotaCode=code)["Quota"]["Value"]
    except ClientError as refusal:
        return Finding("unknown", f"quota of {what} ({code}): {refusal}")
    text = f"{what}: {used} used, {wanted} wanted, {most:.0f} allowed"
    if used + wanted <= most:
        return Finding("ok", text)
    ask = f"aws service-quotas request-service-quota-increase --service-code {service}"
    return Finding("wrong", f"{text}; `{ask} --quota-code {code} --desired-value {used + wanted}`")


def _machines(environment: Environment, client: Client, _caller: str) -> Iterator[Finding]:
    for group in environment.nodes:
        offered = client("ec2").describe_instance_type_offerings(
            LocationType="availability-zone",
            Filters=[
                {"Name": "instance-type", "Values": [group.instance_type]},
                {"Name": "location", "Values": environment.availability_zones},
            ],
        )["InstanceTypeOfferings"]
        absent = set(environment.availability_zones) - {each["Location"] for each in offered}
        if absent:
            where = ", ".join(sorted(absent))
            yield Finding("wrong", f"{group.instance_type} is not offered in {where}")
        else:
            yield Finding("ok", f"{group.instance_type} is offered in every zone")


def _github(environment: Environment, client: Client, caller: str) -> Iterator[Finding]:
    github = environment.github
    if not github:
        return
    account = caller.split(":")[4]
    arns = [
        each["Arn"]
        for each in client("iam").list_open_id_connect_providers()["OpenIDConnectProviderList"]
    ]
    there = f"arn:aws:iam::{account}:oidc-provider/{_GITHUB}" in arns
    ours = there and _makes_provider(client("cloudformation"), f"{environment.prefix}-delivery")
    if there and not ours and not github.provider_exists:
        yield Finding("wrong", "the account has a GitHub OIDC provider: set provider_exists=True")
    elif not there and github.provider_exists:
        yield Finding("wrong", "the account has no GitHub OIDC provider: set provider_exists=False")
    else:
        yield Finding("ok", f"GitHub's OIDC provider is {'there' if there else 'made with it'}")
    credentials = client("codebuild").list_source_credentials()["sourceCredentialsInfos"]
    if any(each["serverType"] == "GITHUB" for each in credentials):
        yield Finding("ok", "CodeBuild has a connection to GitHub")
    else:
        yield Finding(
            "wrong",
            "CodeBuild has no connection to GitHub: in the console, Developer Tools, Settings, "
            "Connections, make one, and make it CodeBuild's default source credential for GitHub",
        )


def _makes_provider(cloudformation: Any, stack_name: str) -> bool:
    try:
        found = cloudformation.describe_stack_resources(StackName=stack_name)["StackResources"]
    except ClientError:
        return False
    return any(each["ResourceType"] == "AWS::IAM::OIDCProvider" for each in found)
