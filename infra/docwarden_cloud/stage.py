"""One environment, whole: which stacks it has and what they pass to each other."""

import aws_cdk as cdk
from constructs import Construct

from docwarden_cloud.environments import SERVICE, Environment
from docwarden_cloud.stacks import NetworkStack, RegistryStack


class EnvironmentStage(cdk.Stage):
    """All stacks of one environment; ``cdk deploy 'docwarden-<name>/*'`` takes them in order."""

    def __init__(self, scope: Construct, *, environment: Environment) -> None:
        super().__init__(scope, environment.prefix, env=cdk.Environment(region=environment.region))
        self.network = NetworkStack(self, "network", environment=environment)
        self.registry = RegistryStack(self, "registry", environment=environment)
        cdk.Tags.of(self).add("service", SERVICE)
        cdk.Tags.of(self).add("environment", environment.name)
