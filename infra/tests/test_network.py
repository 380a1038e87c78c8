"""The network, by type and property."""

import pytest

from docwarden_cloud.environments import Environment
from testkit.assembly import Assembly


def test_subnets_of_each_kind_lie_in_every_zone(assembly: Assembly, environment: Environment):
    subnets = assembly["network"].resources("AWS::EC2::Subnet").values()
    zones_of: dict[str, set[str]] = {}
    for subnet in subnets:
        tags = {tag["Key"]: tag["Value"] for tag in subnet["Properties"]["Tags"]}
        zones_of.setdefault(tags["aws-cdk:subnet-name"], set()).add(
            subnet["Properties"]["AvailabilityZone"]
        )
    kinds = {"Edge", "Nodes", "Store"} if environment.store else {"Edge", "Nodes"}
    assert zones_of == {kind: set(environment.availability_zones) for kind in kinds}


def test_only_nodes_without_a_nat_gateway_have_public_addresses(
    assembly: Assembly, environment: Environment
):
    for subnet in assembly["network"].resources("AWS::EC2::Subnet").values():
        nodes = {"Key": "aws-cdk:subnet-name", "Value": "Nodes"} in subnet["Properties"]["Tags"]
        public = nodes and environment.nat_gateways == 0
        assert subnet["Properties"]["MapPublicIpOnLaunch"] is public


@pytest.mark.parametrize(("name", "gateways"), [("demo", 0), ("staging", 1), ("production", 3)])
def test_production_loses_no_outbound_traffic_with_a_zone(
    name: str, gateways: int, request: pytest.FixtureRequest
):
    network = request.getfixturevalue(name)["network"]
    assert len(network.resources("AWS::EC2::NatGateway")) == gateways


def test_nodes_reach_the_internet_one_way_or_the_other(assembly: Assembly):
    network = assembly["network"]
    outward = [
        route["Properties"]
        for route in network.resources("AWS::EC2::Route").values()
        if route["Properties"]["DestinationCidrBlock"] == "0.0.0.0/0"
    ]
    routed = {route["RouteTableId"]["Ref"] for route in outward}
    for logical_id, subnet in network.resources("AWS::EC2::Subnet").items():
        if {"Key": "aws-cdk:subnet-name", "Value": "Nodes"} in subnet["Properties"]["Tags"]:
            (table,) = [
                association["Properties"]["RouteTableId"]["Ref"]
                for association in network.resources(
                    "AWS::EC2::SubnetRouteTableAssociation"
                ).values()
                if association["Properties"]["SubnetId"]["Ref"] == logical_id
            ]
            assert table in routed


def test_all_flows_are_logged(assembly: Assembly):
    flows = assembly["network"].only("AWS::EC2::FlowLog")
    assert flows["TrafficType"] == "ALL"
    assert flows["LogDestinationType"] == "cloud-watch-logs"


def test_images_and_logs_do_not_pass_the_nat_gateway(delivered: Assembly):
    endpoints = [
        str(endpoint["Properties"]["ServiceName"])
        for endpoint in delivered["network"].resources("AWS::EC2::VPCEndpoint").values()
    ]
    for service in (".s3", ".ecr.api", ".ecr.dkr", ".sts", ".logs"):
        assert any(service in endpoint for endpoint in endpoints), service


def test_store_subnets_have_no_way_out(production: Assembly):
    network = production["network"]
    isolated = {
        logical_id
        for logical_id, subnet in network.resources("AWS::EC2::Subnet").items()
        if {"Key": "aws-cdk:subnet-name", "Value": "Store"} in subnet["Properties"]["Tags"]
    }
    tables = {
        association["Properties"]["RouteTableId"]["Ref"]
        for association in network.resources("AWS::EC2::SubnetRouteTableAssociation").values()
        if association["Properties"]["SubnetId"]["Ref"] in isolated
    }
    assert len(tables) == 3
    for route in network.resources("AWS::EC2::Route").values():
        assert route["Properties"]["RouteTableId"]["Ref"] not in tables


def test_only_a_load_balancer_with_a_domain_admits_the_world(
    assembly: Assembly, environment: Environment
):
    open_to_all = set()
    for stack, _, resource in assembly.resources():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::EC2::SecurityGroup":
                rules = properties.get("SecurityGroupIngress", [])
            case "AWS::EC2::SecurityGroupIngress":
                rules = [properties]
            case _:
                rules = []
        open_to_all |= {
            (stack.name, rule["FromPort"])
            for rule in rules
            if rule.get("CidrIp") == "0.0.0.0/0" or "CidrIpv6" in rule
        }
    assert open_to_all == ({("edge", 443), ("edge", 80)} if environment.domain else set())
