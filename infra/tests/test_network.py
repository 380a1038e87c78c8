"""The network, by type and property."""

import pytest

from testkit.assembly import Assembly


def test_subnets_of_each_kind_lie_in_three_zones(assembly: Assembly):
    subnets = assembly["network"].resources("AWS::EC2::Subnet").values()
    zones_of: dict[str, set[str]] = {}
    for subnet in subnets:
        tags = {tag["Key"]: tag["Value"] for tag in subnet["Properties"]["Tags"]}
        zones_of.setdefault(tags["aws-cdk:subnet-name"], set()).add(
            subnet["Properties"]["AvailabilityZone"]
        )
    assert {name: len(zones) for name, zones in zones_of.items()} == {
        "Edge": 3,
        "Nodes": 3,
        "Store": 3,
    }


def test_no_subnet_gives_public_addresses_by_itself(assembly: Assembly):
    for subnet in assembly["network"].resources("AWS::EC2::Subnet").values():
        assert subnet["Properties"]["MapPublicIpOnLaunch"] is False


@pytest.mark.parametrize(("environment", "gateways"), [("staging", 1), ("production", 3)])
def test_production_loses_no_outbound_traffic_with_a_zone(
    environment: str, gateways: int, request: pytest.FixtureRequest
):
    network = request.getfixturevalue(environment)["network"]
    assert len(network.resources("AWS::EC2::NatGateway")) == gateways


def test_all_flows_are_logged(assembly: Assembly):
    flows = assembly["network"].only("AWS::EC2::FlowLog")
    assert flows["TrafficType"] == "ALL"
    assert flows["LogDestinationType"] == "cloud-watch-logs"


def test_images_and_logs_do_not_pass_the_nat_gateway(assembly: Assembly):
    endpoints = [
        str(endpoint["Properties"]["ServiceName"])
        for endpoint in assembly["network"].resources("AWS::EC2::VPCEndpoint").values()
    ]
    for service in (".s3", ".ecr.api", ".ecr.dkr", ".sts", ".logs"):
        assert any(service in endpoint for endpoint in endpoints), service


def test_store_subnets_have_no_way_out(assembly: Assembly):
    network = assembly["network"]
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


def test_only_the_load_balancer_admits_the_world(assembly: Assembly):
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
    assert open_to_all == {("edge", 443), ("edge", 80)}
