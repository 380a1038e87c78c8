"""Entry point of the CDK application: the environments, and nothing else.

``python app.py`` writes the templates of both environments to ``$CDK_OUTDIR`` without
credentials and without network; the CDK command line runs it the same way.
"""

from pathlib import Path

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from docwarden_cloud.environments import Environment, NodeGroup, Store
from docwarden_cloud.monitoring import Monitoring, read_monitoring
from docwarden_cloud.stage import EnvironmentStage

STAGING = Environment(
    name="staging",
    region="us-east-2",
    zones=("a", "b", "c"),
    cidr="10.20.0.0/16",
    nat_gateways=1,
    kubernetes_version="1.36",
    graviton=NodeGroup(instance_type="t4g.medium", size=1),
    x86=NodeGroup(instance_type="t3.medium", size=1),
    api_access_cidrs=(),
    domain="staging.docwarden.example",
    github_repository="docwarden/docwarden",
    log_retention_days=30,
    requests_per_client=2_000,
    monthly_budget_usd=450,
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
    graviton=NodeGroup(instance_type="m7g.large", size=3),
    x86=NodeGroup(instance_type="m7i.large", size=1),
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

MONITORING = Path(__file__).resolve().parents[1] / "monitoring" / "generated"

ENVIRONMENTS = (STAGING, PRODUCTION)


def build(app: cdk.App, *, monitoring: Monitoring) -> None:
    """Add every environment to the application, with what each one alerts by."""
    for environment in ENVIRONMENTS:
        EnvironmentStage(app, environment=environment, monitoring=monitoring)


def main() -> None:
    """Synthesise, and refuse what cdk-nag's AWS Solutions pack objects to."""
    application = cdk.App()
    build(application, monitoring=read_monitoring(MONITORING))
    cdk.Validations.of(application).add_plugins(AwsSolutionsChecks(application))
    application.synth()


if __name__ == "__main__":
    main()
