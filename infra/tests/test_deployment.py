"""Both environments, deployed for real into moto's CloudFormation and asked through boto3."""

from typing import NamedTuple

import pytest

from docwarden_cloud.outputs import fetch_outputs
from docwarden_cloud.release import helm_values
from testkit.assembly import Assembly
from testkit.moto_cloud import BEYOND_MOTO, Cloud, moto_cloud

# moto warns of each type that it cannot create; BEYOND_MOTO lists them.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


class Deployment(NamedTuple):
    assembly: Assembly
    cloud: Cloud

    @property
    def prefix(self) -> str:
        return f"docwarden-{self.assembly.environment}"


@pytest.fixture(scope="module")
def deployment(assembly):
    with moto_cloud("us-east-2") as cloud:
        cloud.deploy(assembly)
        yield Deployment(assembly, cloud)


def test_every_resource_was_created_or_is_known_to_be_beyond_moto(deployment):
    cloudformation = deployment.cloud.client("cloudformation")
    absent: set[str] = set()
    for stack in deployment.assembly.stacks:
        pages = cloudformation.get_paginator("list_stack_resources").paginate(
            StackName=stack.stack_name
        )
        created = {
            summary["LogicalResourceId"]
            for page in pages
            for summary in page["StackResourceSummaries"]
        }
        absent |= {
            resource["Type"]
            for logical_id, resource in stack.body["Resources"].items()
            if logical_id not in created
        }
    used = {resource["Type"] for _, _, resource in deployment.assembly.resources()}
    assert absent == used & set(BEYOND_MOTO)


def test_ec2_holds_the_vpc_with_its_subnets_in_three_zones(deployment):
    ec2 = deployment.cloud.client("ec2")
    named = [{"Name": "tag:Name", "Values": [deployment.prefix]}]
    (vpc,) = ec2.describe_vpcs(Filters=named)["Vpcs"]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    subnets = ec2.describe_subnets(Filters=of_vpc)["Subnets"]
    assert len(subnets) == 9
    zones = {subnet["AvailabilityZone"] for subnet in subnets}
    assert zones == {"us-east-2a", "us-east-2b", "us-east-2c"}
    (flows,) = ec2.describe_flow_logs()["FlowLogs"]
    assert flows["ResourceId"] == vpc["VpcId"]
    gateways = ec2.describe_nat_gateways(Filters=of_vpc)["NatGateways"]
    assert len(gateways) == (1 if deployment.assembly.environment == "staging" else 3)
    endpoints = ec2.describe_vpc_endpoints(Filters=of_vpc)["VpcEndpoints"]
    assert {endpoint["VpcEndpointType"] for endpoint in endpoints} == {"Gateway", "Interface"}


def test_eks_holds_the_private_cluster_with_encrypted_secrets(deployment):
    eks = deployment.cloud.client("eks")
    assert eks.list_clusters()["clusters"] == [deployment.prefix]
    cluster = eks.describe_cluster(name=deployment.prefix)["cluster"]
    assert cluster["status"] == "ACTIVE"
    assert cluster["version"] == "1.36"
    assert cluster["resourcesVpcConfig"]["endpointPublicAccess"] is False
    assert cluster["resourcesVpcConfig"]["endpointPrivateAccess"] is True
    assert cluster["encryptionConfig"][0]["resources"] == ["secrets"]
    assert cluster["logging"]["clusterLogging"][0]["enabled"] is True
    subnets = deployment.cloud.client("ec2").describe_subnets(
        SubnetIds=cluster["resourcesVpcConfig"]["subnetIds"]
    )["Subnets"]
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 3
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets)


def test_eks_holds_a_node_group_for_each_architecture(deployment):
    eks = deployment.cloud.client("eks")
    names = eks.list_nodegroups(clusterName=deployment.prefix)["nodegroups"]
    images = {
        name: eks.describe_nodegroup(clusterName=deployment.prefix, nodegroupName=name)[
            "nodegroup"
        ]["amiType"]
        for name in names
    }
    assert images == {"graviton": "BOTTLEROCKET_ARM_64", "x86": "BOTTLEROCKET_x86_64"}


def test_nodes_cannot_be_asked_for_their_credentials_by_pods(deployment):
    ec2 = deployment.cloud.client("ec2")
    (version,) = ec2.describe_launch_template_versions(
        LaunchTemplateName=f"{deployment.prefix}-nodes"
    )["LaunchTemplateVersions"]
    options = version["LaunchTemplateData"]["MetadataOptions"]
    assert options["HttpTokens"] == "required"
    assert options["HttpPutResponseHopLimit"] == 1


def test_ecr_holds_the_repository_with_immutable_tags(deployment):
    (repository,) = deployment.cloud.client("ecr").describe_repositories()["repositories"]
    assert repository["repositoryName"] == "docwarden"
    assert repository["imageTagMutability"] == "IMMUTABLE"


def test_iam_holds_the_roles_of_the_workflows_and_githubs_provider(deployment):
    iam = deployment.cloud.client("iam")
    (provider,) = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
    for name in ("push", "diff", "deploy"):
        role = iam.get_role(RoleName=f"{deployment.prefix}-{name}")["Role"]
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Principal"] == {"Federated": provider["Arn"]}
        assert iam.list_role_policies(RoleName=role["RoleName"])["PolicyNames"]


def test_logs_holds_the_groups_and_they_forget(deployment):
    groups = deployment.cloud.client("logs").describe_log_groups()["logGroups"]
    names = {group["logGroupName"] for group in groups}
    assert {
        f"/{deployment.prefix}/vpc-flow-logs",
        f"/aws/eks/{deployment.prefix}/cluster",
        f"/aws/containerinsights/{deployment.prefix}/application",
        f"aws-waf-logs-{deployment.prefix}",
    } <= names
    days = 30 if deployment.assembly.environment == "staging" else 365
    assert {group["retentionInDays"] for group in groups} == {days}


def test_load_balancer_answers_for_one_host_over_tls(deployment):
    elb = deployment.cloud.client("elbv2")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    by_port = {listener["Port"]: listener for listener in listeners}
    assert by_port[80]["DefaultActions"][0]["Type"] == "redirect"
    assert by_port[443]["DefaultActions"][0]["Type"] == "fixed-response"
    (certificate,) = deployment.cloud.client("acm").list_certificates()["CertificateSummaryList"]
    assert by_port[443]["Certificates"][0]["CertificateArn"] == certificate["CertificateArn"]


def test_prometheus_holds_the_rules_of_the_project(deployment):
    amp = deployment.cloud.client("amp")
    (workspace,) = amp.list_workspaces()["workspaces"]
    assert workspace["alias"] == deployment.prefix
    (namespace,) = amp.list_rule_groups_namespaces(workspaceId=workspace["workspaceId"])[
        "ruleGroupsNamespaces"
    ]
    assert namespace["name"] == "docwarden"


def test_outputs_of_the_deployed_stacks_fill_in_the_helm_values(deployment):
    outputs = fetch_outputs(deployment.cloud.client("cloudformation"), deployment.prefix)
    values = helm_values(
        outputs, digest=f"sha256:{'0' * 64}", upstream_url="https://documents.example/{id}"
    )
    assert values["image"]["repository"].endswith("/docwarden")
    assert len(values["networkPolicy"]["clients"]) == 3
    assert ("store" in values) is (deployment.assembly.environment == "production")
    assert ("DOCWARDEN_STALE_IF_ERROR" in values.get("env", {})) is ("store" in values)
