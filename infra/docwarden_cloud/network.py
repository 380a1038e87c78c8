"""The network: nodes in two or three zones, nothing admitted from outside but by the load balancer.

With NAT gateways the nodes have no public address; without them, which saves their price, they
have one each, and the cluster's security group still admits nobody from outside.
"""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from constructs import Construct

from docwarden_cloud.environments import Environment
from docwarden_cloud.findings import accept
from docwarden_cloud.log_groups import log_group

# Services that nodes talk to all day; each endpoint spares NAT traffic and keeps it off the
# internet.
_ENDPOINTS = {
    "EcrApi": ec2.InterfaceVpcEndpointAwsService.ECR,
    "EcrLayers": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "Sts": ec2.InterfaceVpcEndpointAwsService.STS,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
}


class Network(Construct):
    """VPC with subnets for the load balancer, for nodes and, where there is one, for the store."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        environment: Environment,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(scope, name)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            vpc_name=environment.prefix,
            ip_addresses=ec2.IpAddresses.cidr(environment.cidr),
            availability_zones=environment.availability_zones,
            nat_gateways=environment.nat_gateways,
            restrict_default_security_group=False,
            subnet_configuration=_subnets(environment),
        )
        if not environment.nat_gateways:
            self._accept_public_nodes()
        self._log_flows(environment, log_key)
        # Image layers lie in S3; this one costs nothing.
        self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        if environment.interface_endpoints:
            self._keep_traffic_inside(environment.cidr)

    def _accept_public_nodes(self) -> None:
        reason = (
            "Nodes reach the internet by addresses of their own instead of NAT gateways; the "
            "cluster's security group admits nobody from outside the VPC."
        )
        for subnet in self.vpc.select_subnets(subnet_group_name="Nodes").subnets:
            accept(subnet, {"CKV_AWS_130": reason})

    def _log_flows(self, environment: Environment, log_key: kms.IKey) -> None:
        group = log_group(
            self,
            "FlowLogs",
            name=f"/{environment.prefix}/vpc-flow-logs",
            environment=environment,
            key=log_key,
        )
        self.vpc.add_flow_log(
            "Flows",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group),
            traffic_type=ec2.FlowLogTrafficType.ALL,
        )

    def _keep_traffic_inside(self, cidr: str) -> None:
        guard = ec2.SecurityGroup(
            self,
            "EndpointGuard",
            vpc=self.vpc,
            description="Interface endpoints: HTTPS from inside the VPC only",
            allow_all_outbound=False,
        )
        guard.add_ingress_rule(ec2.Peer.ipv4(cidr), ec2.Port.tcp(443), "HTTPS from the VPC")
        for endpoint, service in _ENDPOINTS.items():
            self.vpc.add_interface_endpoint(
                endpoint,
                service=service,
                security_groups=[guard],
                subnets=ec2.SubnetSelection(subnet_group_name="Nodes"),
                open=False,
            )


def _subnets(environment: Environment) -> list[ec2.SubnetConfiguration]:
    edge = ec2.SubnetConfiguration(
        name="Edge",
        subnet_type=ec2.SubnetType.PUBLIC,
        cidr_mask=24,
        map_public_ip_on_launch=False,
    )
    if environment.nat_gateways:
        nodes = ec2.SubnetConfiguration(
            name="Nodes", subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=20
        )
    else:
        # A managed node joins from a public subnet only if that gives it an address:
        # https://github.com/aws/containers-roadmap/issues/607
        nodes = ec2.SubnetConfiguration(
            name="Nodes",
            subnet_type=ec2.SubnetType.PUBLIC,
            cidr_mask=20,
            map_public_ip_on_launch=True,
        )
    store = ec2.SubnetConfiguration(
        name="Store", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=26
    )
    return [edge, nodes, store] if environment.store else [edge, nodes]
