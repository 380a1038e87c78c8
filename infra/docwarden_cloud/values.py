"""The environments that exist, and what is whose in each. This is the file to edit.

Nothing here needs AWS, the CDK or Node.
"""

from collections.abc import Callable
from dataclasses import replace

from docwarden_cloud.environments import Environment, GitHub, NodeGroup, Store

# The numbers are GitHub's: gh api repos/OWNER/NAME --jq '.owner.id, .id'
REPOSITORY = GitHub(owner="docwarden", owner_id=1, name="docwarden", repository_id=1)

DEMO = Environment(
    name="demo",
    region="us-east-2",
    zones=("a", "b"),
    cidr="10.10.0.0/16",
    nat_gateways=0,
    interface_endpoints=False,
    kubernetes_version="1.36",
    # amd64, as Auto Mode's nodes and most machines that build an image are.
    nodes=(
        NodeGroup(
            name="x86", architecture="amd64", instance_type="t3a.medium", size=1, disk_gib=20
        ),
    ),
    # `make infra-up ENV=demo ACCESS=... NOTIFY=...` says whose they are.
    api_access_cidrs=("203.0.113.7/32",),
    identity_center=False,
    domain=None,
    github=None,
    upstream="simulator",
    requests_per_client=None,
    log_retention_days=7,
    monthly_budget_usd=170,
    alert_emails=("docwarden-demo@docwarden.example",),
    keeps_data=False,
    container_insights=False,
    prometheus=False,
    store=None,
    grafana=False,
)

STAGING = Environment(
    name="staging",
    region="us-east-2",
    zones=("a", "b", "c"),
    cidr="10.20.0.0/16",
    nat_gateways=1,
    interface_endpoints=True,
    kubernetes_version="1.36",
    nodes=(
        NodeGroup(name="graviton", architecture="arm64", instance_type="t4g.medium", size=1),
        NodeGroup(name="x86", architecture="amd64", instance_type="t3.medium", size=1),
    ),
    api_access_cidrs=(),
    identity_center=True,
    domain="staging.docwarden.example",
    github=REPOSITORY,
    upstream="simulator",
    requests_per_client=2_000,
    log_retention_days=30,
    monthly_budget_usd=450,
    alert_emails=("docwarden-staging@docwarden.example",),
    keeps_data=False,
    container_insights=True,
    prometheus=True,
    store=None,
    grafana=False,
)

PRODUCTION = Environment(
    name="production",
    region="us-east-2",
    zones=("a", "b", "c"),
    cidr="10.30.0.0/16",
    nat_gateways=3,
    interface_endpoints=True,
    kubernetes_version="1.36",
    nodes=(
        NodeGroup(name="graviton", architecture="arm64", instance_type="m7g.large", size=3),
        NodeGroup(name="x86", architecture="amd64", instance_type="m7i.large", size=1),
    ),
    api_access_cidrs=(),
    identity_center=True,
    domain="docwarden.example",
    github=REPOSITORY,
    upstream="given",
    requests_per_client=10_000,
    log_retention_days=365,
    monthly_budget_usd=1_500,
    alert_emails=("docwarden-oncall@docwarden.example",),
    keeps_data=True,
    container_insights=True,
    prometheus=True,
    store=Store(node_type="cache.t4g.small", replicas=1),
    grafana=True,
)

ENVIRONMENTS = (DEMO, STAGING, PRODUCTION)


def personal(environment: Environment, given: Callable[[str], str | None]) -> Environment:
    """The demo as one person has it; the others are as they stand above.

    Args:
        environment: Any of them.
        given: Value of a CDK context key, as ``cdk -c access=203.0.113.7/32`` gives it.
    """
    if environment.name != DEMO.name:
        return environment
    access, notify = given("access"), given("notify")
    return replace(
        environment,
        api_access_cidrs=tuple(access.split(",")) if access else environment.api_access_cidrs,
        alert_emails=(notify,) if notify else environment.alert_emails,
    )


def named(name: str) -> Environment:
    """The environment of that name.

    Raises:
        ValueError: There is none.
    """
    for environment in ENVIRONMENTS:
        if environment.name == name:
            return environment
    known = ", ".join(environment.name for environment in ENVIRONMENTS)
    raise ValueError(f"there is no environment {name!r}; there are {known}")
