"""Both environments, deployed for real into moto's CloudFormation and asked through boto3."""

from typing import NamedTuple

import pytest

from testkit.assembly import Assembly
from testkit.moto_cloud import Cloud, moto_cloud


class Deployment(NamedTuple):
    assembly: Assembly
    cloud: Cloud


# What moto's CloudFormation cannot create, with the reason; each is asserted in the template by
# the test named here.
NOT_IN_MOTO: dict[str, str] = {}


@pytest.fixture(scope="session")
def deployment(assembly):
    with moto_cloud("us-east-2") as cloud:
        cloud.deploy(assembly)
        yield Deployment(assembly, cloud)


@pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")  # they are NOT_IN_MOTO
def test_every_resource_was_created_or_is_known_to_be_beyond_moto(deployment):
    cloudformation = deployment.cloud.client("cloudformation")
    absent: set[str] = set()
    for stack in deployment.assembly.stacks:
        summaries = cloudformation.get_paginator("list_stack_resources").paginate(
            StackName=stack.stack_name
        )
        created = {
            summary["LogicalResourceId"]
            for page in summaries
            for summary in page["StackResourceSummaries"]
        }
        absent |= {
            resource["Type"]
            for logical_id, resource in stack.body["Resources"].items()
            if logical_id not in created
        }
    assert absent <= set(NOT_IN_MOTO)


def test_ec2_holds_the_vpc_with_its_subnets_in_three_zones(deployment):
    ec2 = deployment.cloud.client("ec2")
    named = [{"Name": "tag:Name", "Values": [f"docwarden-{deployment.assembly.environment}"]}]
    (vpc,) = ec2.describe_vpcs(Filters=named)["Vpcs"]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    subnets = ec2.describe_subnets(Filters=of_vpc)["Subnets"]
    assert len(subnets) == 9
    assert {subnet["AvailabilityZone"] for subnet in subnets} == {
        "us-east-2a",
        "us-east-2b",
        "us-east-2c",
    }
    (flows,) = ec2.describe_flow_logs()["FlowLogs"]
    assert flows["ResourceId"] == vpc["VpcId"]


def test_ecr_holds_the_repository_with_immutable_tags(deployment):
    (repository,) = deployment.cloud.client("ecr").describe_repositories()["repositories"]
    assert repository["repositoryName"] == "docwarden"
    assert repository["imageTagMutability"] == "IMMUTABLE"


def test_logs_holds_groups_that_forget(deployment):
    groups = deployment.cloud.client("logs").describe_log_groups()["logGroups"]
    days = 30 if deployment.assembly.environment == "staging" else 365
    assert {group["retentionInDays"] for group in groups} == {days}
