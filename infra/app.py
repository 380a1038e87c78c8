"""Entry point of the CDK application: the environments of ``docwarden_cloud/values.py``.

``python app.py`` writes the templates of every environment to ``$CDK_OUTDIR`` without
credentials and without network; the CDK command line runs it the same way.
"""

from pathlib import Path

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks

from docwarden_cloud.monitoring import Monitoring, read_monitoring
from docwarden_cloud.stage import EnvironmentStage
from docwarden_cloud.values import ENVIRONMENTS, personal

MONITORING = Path(__file__).resolve().parents[1] / "monitoring" / "generated"


def build(app: cdk.App, *, monitoring: Monitoring) -> None:
    """Add every environment to the application, with what each one alerts by."""
    for environment in ENVIRONMENTS:
        mine = personal(environment, app.node.try_get_context)
        EnvironmentStage(app, environment=mine, monitoring=monitoring)


def main() -> None:
    """Synthesise, and refuse what cdk-nag's AWS Solutions pack objects to."""
    application = cdk.App()
    build(application, monitoring=read_monitoring(MONITORING))
    cdk.Validations.of(application).add_plugins(AwsSolutionsChecks(application))
    application.synth()


if __name__ == "__main__":
    main()
