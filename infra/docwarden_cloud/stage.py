"""One environment, whole: which stacks it has and what they pass to each other."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_route53 as route53
from constructs import Construct

from docwarden_cloud.environments import SERVICE, Environment
from docwarden_cloud.monitoring import Monitoring
from docwarden_cloud.observability_stack import ObservabilityStack
from docwarden_cloud.stacks import (
    ClusterStack,
    DeliveryStack,
    DnsStack,
    EdgeStack,
    NetworkStack,
    RegistryStack,
    StoreStack,
)


class EnvironmentStage(cdk.Stage):
    """All stacks of one environment; ``cdk deploy 'docwarden-<name>/*'`` takes them in order."""

    def __init__(
        self, scope: Construct, *, environment: Environment, monitoring: Monitoring
    ) -> None:
        """Compose the environment.

        Args:
            scope: The application.
            environment: What is special about this environment.
            monitoring: Rules and routing of alerts.
        """
        super().__init__(scope, environment.prefix, env=cdk.Environment(region=environment.region))
        given: dict[str, Any] = {
            "environment": environment,
            "termination_protection": environment.keeps_data,
        }
        network = NetworkStack(self, "network", **given)
        placed = {**given, "vpc": network.vpc}
        logged = {**placed, "log_key": network.log_key}
        registry = RegistryStack(self, "registry", **given)
        cluster = ClusterStack(self, "cluster", **logged)
        pods = cluster.cluster.cluster_security_group
        edge = EdgeStack(self, "edge", zone=self._zone(environment), pods=pods, **logged)
        observability = ObservabilityStack(
            self, "observability", monitoring=monitoring, cluster=cluster, edge=edge, **logged
        )
        if environment.github:
            DeliveryStack(
                self,
                "delivery",
                github=environment.github,
                registry=registry,
                cluster=cluster,
                workspace_arn=observability.workspace_arn,
                **logged,
            )
        if environment.store:
            StoreStack(self, "store", store=environment.store, clients=pods, **placed)
        # Cost allocation tags; bootstrap-aws.md says how the account learns of them.
        cdk.Tags.of(self).add("service", SERVICE)
        cdk.Tags.of(self).add("environment", environment.name)

    def _zone(self, environment: Environment) -> route53.IHostedZone | None:
        if environment.domain is None:
            return None
        dns = DnsStack(
            self,
            "dns",
            domain=environment.domain,
            termination_protection=environment.keeps_data,
        )
        return dns.zone
