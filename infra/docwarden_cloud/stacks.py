"""The stacks: each composes constructs and says what others may read from it."""

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from docwarden_cloud.encryption import DataKey
from docwarden_cloud.environments import Environment
from docwarden_cloud.network import Network
from docwarden_cloud.registry import Registry


class NetworkStack(Stack):
    """VPC, endpoints and flow logs, with the key of all logs."""

    def __init__(self, scope: Construct, name: str, *, environment: Environment) -> None:
        super().__init__(scope, name)
        self.log_key = DataKey(
            self, "LogKey", purpose="docwarden: logs and alerts", keep=environment.keeps_data
        )
        self.log_key.allow_log_groups("*")
        self.network = Network(self, "Network", environment=environment, log_key=self.log_key.key)


class RegistryStack(Stack):
    """The image repository."""

    def __init__(self, scope: Construct, name: str, *, environment: Environment) -> None:
        super().__init__(scope, name)
        self.registry = Registry(self, "Registry", environment=environment)
        CfnOutput(self, "RepositoryUri", value=self.registry.repository.repository_uri)
