"""The stacks: each composes constructs and says what the pipeline may read from it.

Outputs named here become values of the Helm release; ``release.py`` reads them by name.
"""

from typing import Any

from aws_cdk import CfnOutput, Fn, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_route53 as route53
from constructs import Construct

from docwarden_cloud.addons import Addons
from docwarden_cloud.alerts import PUBLISHERS
from docwarden_cloud.cluster import Cluster
from docwarden_cloud.delivery import Delivery
from docwarden_cloud.edge import LoadBalancer
from docwarden_cloud.encryption import DataKey
from docwarden_cloud.environments import Environment, GitHub, Store
from docwarden_cloud.firewall import Firewall
from docwarden_cloud.network import Network
from docwarden_cloud.nodes import ManagedNodes
from docwarden_cloud.registry import Registry
from docwarden_cloud.runner import Runner
from docwarden_cloud.store import PORT as STORE_PORT
from docwarden_cloud.store import DocumentStore


class NetworkStack(Stack):
    """VPC, endpoints and flow logs, with the key of all logs and alerts."""

    def __init__(
        self, scope: Construct, name: str, *, environment: Environment, **options: Any
    ) -> None:
        super().__init__(scope, name, **options)
        key = DataKey(
            self, "LogKey", purpose="docwarden: logs and alerts", keep=environment.keeps_data
        )
        key.allow_log_groups("*")
        key.allow_services(*PUBLISHERS)
        self.log_key = key.key
        self.vpc = Network(self, "Network", environment=environment, log_key=key.key).vpc


class DnsStack(Stack):
    """The hosted zone. Delegate to its name servers before the edge is deployed."""

    def __init__(self, scope: Construct, name: str, *, domain: str, **options: Any) -> None:
        super().__init__(scope, name, **options)
        self.zone = route53.PublicHostedZone(self, "Zone", zone_name=domain)
        CfnOutput(self, "NameServers", value=Fn.join(" ", self.zone.hosted_zone_name_servers or []))


class RegistryStack(Stack):
    """The image repository."""

    def __init__(
        self, scope: Construct, name: str, *, environment: Environment, **options: Any
    ) -> None:
        super().__init__(scope, name, **options)
        registry = Registry(self, "Registry", environment=environment)
        self.repository = registry.repository
        CfnOutput(self, "RepositoryUri", value=self.repository.repository_uri)
        if registry.upstream:
            CfnOutput(self, "UpstreamRepositoryUri", value=registry.upstream.repository_uri)


class ClusterStack(Stack):
    """The cluster with its nodes and its add-ons."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        environment: Environment,
        vpc: ec2.IVpc,
        log_key: kms.IKey,
        **options: Any,
    ) -> None:
        super().__init__(scope, name, **options)
        made = Cluster(self, "Cluster", environment=environment, vpc=vpc, log_key=log_key)
        self.cluster = made.cluster
        self.control_plane = made.security_group
        addons = Addons(self, "Addons", cluster=self.cluster)
        nodes = ManagedNodes(self, "Nodes", environment=environment, cluster=self.cluster)
        nodes.node.add_dependency(*addons.before_nodes)
        for on_nodes in addons.on_nodes:
            on_nodes.node.add_dependency(nodes)
        CfnOutput(self, "ClusterName", value=self.cluster.cluster_name)


class StoreStack(Stack):
    """The store of last verified copies."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        environment: Environment,
        store: Store,
        vpc: ec2.IVpc,
        clients: ec2.ISecurityGroup,
        **options: Any,
    ) -> None:
        super().__init__(scope, name, **options)
        made = DocumentStore(
            self, "Store", environment=environment, store=store, vpc=vpc, clients=clients
        )
        isolated = vpc.select_subnets(subnet_group_name="Store").subnets
        CfnOutput(self, "StoreHost", value=made.group.attr_primary_end_point_address)
        CfnOutput(self, "StorePort", value=str(STORE_PORT))
        CfnOutput(self, "StoreSecret", value=made.secret.secret_name)
        CfnOutput(
            self,
            "StoreCidrs",
            value=Fn.join(",", [subnet.ipv4_cidr_block for subnet in isolated]),
        )


class EdgeStack(Stack):
    """Load balancer, certificate, address and firewall."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        environment: Environment,
        vpc: ec2.IVpc,
        zone: route53.IHostedZone | None,
        pods: ec2.ISecurityGroup,
        log_key: kms.IKey,
        **options: Any,
    ) -> None:
        super().__init__(scope, name, **options)
        edge = LoadBalancer(self, "Edge", environment=environment, vpc=vpc, zone=zone, pods=pods)
        self.balancer, self.target_group = edge.balancer, edge.target_group
        if environment.requests_per_client:
            Firewall(
                self,
                "Firewall",
                environment=environment,
                requests_per_client=environment.requests_per_client,
                load_balancer_arn=edge.balancer.load_balancer_arn,
                log_key=log_key,
            )
        public = vpc.select_subnets(subnet_group_name="Edge").subnets
        CfnOutput(self, "TargetGroupArn", value=edge.target_group.target_group_arn)
        CfnOutput(self, "Url", value=edge.url)
        CfnOutput(
            self, "EdgeCidrs", value=Fn.join(",", [subnet.ipv4_cidr_block for subnet in public])
        )


class DeliveryStack(Stack):
    """Roles of the workflows, and the runner that reaches the private Kubernetes API."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        environment: Environment,
        github: GitHub,
        registry: RegistryStack,
        cluster: ClusterStack,
        workspace_arn: str | None,
        vpc: ec2.IVpc,
        log_key: kms.IKey,
        **options: Any,
    ) -> None:
        super().__init__(scope, name, **options)
        delivery = Delivery(
            self,
            "Delivery",
            environment=environment,
            github=github,
            repository=registry.repository,
            cluster=cluster.cluster,
            workspace_arn=workspace_arn,
        )
        runner = Runner(
            self,
            "Runner",
            environment=environment,
            github=github,
            vpc=vpc,
            control_plane=cluster.control_plane,
            log_key=log_key,
        )
        CfnOutput(self, "PushRoleArn", value=delivery.push.role_arn)
        CfnOutput(self, "DiffRoleArn", value=delivery.diff.role_arn)
        CfnOutput(self, "DeployRoleArn", value=delivery.deploy.role_arn)
        CfnOutput(self, "RunnerProject", value=runner.project.ref)
