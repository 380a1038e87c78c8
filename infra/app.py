"""Entry point of the CDK application: the environments, and nothing else.

``python app.py`` writes the templates of both environments to ``$CDK_OUTDIR`` without
credentials and without network; the CDK command line runs it the same way.
"""

import aws_cdk as cdk

from docwarden_cloud.environments import Environment, NodeGroup, Store
from docwarden_cloud.stage import EnvironmentStage

STAGING = Environment(
    name="staging",
    region="us-east-2",
    zones=("a", "b", "c"),
    cidr="10.20.0.0/16",
    nat_gateways=1,
    kubernetes_version="1.36",
    graviton=NodeGroup(instance_type="t4g.medium", minimum=1, maximum=3),
    x86=NodeGroup(instance_type="t3.medium", minimum=1, maximum=2),
    api_access_cidrs=(),
    domain="staging.docwarden.example",
    github_repository="docwarden/docwarden",
    log_retention_days=30,
    requests_per_client=2_000,
    monthly_budget_usd=600,
    alert_emails=("docwarden-staging@docwarden.example",),
    keeps_data=False,
    store=None,
    grafana=False,
)

PRODUCTION = Environment(
    name="production",
    region="us-east-2",
    zones=("a", "b", "c"),
    cidr="10.30.0.0/16",
    nat_gateways=3,
    kubernetes_version="1.36",
    graviton=NodeGroup(instance_type="m7g.large", minimum=3, maximum=9),
    x86=NodeGroup(instance_type="m7i.large", minimum=1, maximum=3),
    api_access_cidrs=(),
    domain="docwarden.example",
    github_repository="docwarden/docwarden",
    log_retention_days=365,
    requests_per_client=10_000,
    monthly_budget_usd=1_500,
    alert_emails=("docwarden-oncall@docwarden.example",),
    keeps_data=True,
    store=Store(node_type="cache.t4g.small", replicas=1),
    grafana=True,
)

ENVIRONMENTS = (STAGING, PRODUCTION)


def build(app: cdk.App) -> list[EnvironmentStage]:
    """Add every environment to the application."""
    return [EnvironmentStage(app, environment=environment) for environment in ENVIRONMENTS]


if __name__ == "__main__":
    application = cdk.App()
    build(application)
    application.synth()
