"""Every environment, deployed for real into moto's CloudFormation and asked through boto3."""

import json
from typing import NamedTuple

import pytest

from docwarden_cloud.environments import Environment
from docwarden_cloud.outputs import fetch_outputs
from docwarden_cloud.release import helm_values, links
from testkit.assembly import Assembly
from testkit.moto_cloud import BEYOND_MOTO, Cloud, moto_cloud

# moto warns of each type that it cannot create; BEYOND_MOTO lists them.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


class Deployment(NamedTuple):
    assembly: Assembly
    cloud: Cloud

    environment: Environment

    @property
    def prefix(self) -> str:
        return self.environment.prefix


@pytest.fixture(scope="module")
def deployment(assembly, environment):
    with moto_cloud("us-east-2") as cloud:
        cloud.deploy(assembly)
        yield Deployment(assembly, cloud, environment)


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


def test_ec2_holds_the_vpc_with_its_subnets_in_every_zone(deployment):
    ec2 = deployment.cloud.client("ec2")
    named = [{"Name": "tag:Name", "Values": [deployment.prefix]}]
    (vpc,) = ec2.describe_vpcs(Filters=named)["Vpcs"]
    of_vpc = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
    subnets = ec2.describe_subnets(Filters=of_vpc)["Subnets"]
    zones = {subnet["AvailabilityZone"] for subnet in subnets}
    assert zones == set(deployment.environment.availability_zones)
    (flows,) = ec2.describe_flow_logs()["FlowLogs"]
    assert flows["ResourceId"] == vpc["VpcId"]
    gateways = ec2.describe_nat_gateways(Filters=of_vpc)["NatGateways"]
    assert len(gateways) == deployment.environment.nat_gateways
    endpoints = ec2.describe_vpc_endpoints(Filters=of_vpc)["VpcEndpoints"]
    interface = {"Interface"} if deployment.environment.interface_endpoints else set()
    assert {endpoint["VpcEndpointType"] for endpoint in endpoints} == {"Gateway"} | interface


def test_eks_holds_the_cluster_with_encrypted_secrets(deployment):
    eks = deployment.cloud.client("eks")
    assert eks.list_clusters()["clusters"] == [deployment.prefix]
    cluster = eks.describe_cluster(name=deployment.prefix)["cluster"]
    assert cluster["status"] == "ACTIVE"
    assert cluster["version"] == "1.36"
    public = bool(deployment.environment.api_access_cidrs)
    assert cluster["resourcesVpcConfig"]["endpointPublicAccess"] is public
    assert cluster["resourcesVpcConfig"]["endpointPrivateAccess"] is True
    assert cluster["encryptionConfig"][0]["resources"] == ["secrets"]
    assert cluster["logging"]["clusterLogging"][0]["enabled"] is True
    subnets = deployment.cloud.client("ec2").describe_subnets(
        SubnetIds=cluster["resourcesVpcConfig"]["subnetIds"]
    )["Subnets"]
    zones = {subnet["AvailabilityZone"] for subnet in subnets}
    assert zones == set(deployment.environment.availability_zones)
    # moto's CloudFormation does not read who gives public addresses; test_network.py does.
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
    known = {"graviton": "BOTTLEROCKET_ARM_64", "x86": "BOTTLEROCKET_x86_64"}
    assert images == {group.name: known[group.name] for group in deployment.environment.nodes}


def test_nodes_cannot_be_asked_for_their_credentials_by_pods(deployment):
    ec2 = deployment.cloud.client("ec2")
    for group in deployment.environment.nodes:
        (version,) = ec2.describe_launch_template_versions(
            LaunchTemplateName=f"{deployment.prefix}-{group.name}"
        )["LaunchTemplateVersions"]
        options = version["LaunchTemplateData"]["MetadataOptions"]
        assert options["HttpTokens"] == "required"
        assert options["HttpPutResponseHopLimit"] == 1


def test_ecr_holds_the_repository_with_immutable_tags(deployment):
    repositories = deployment.cloud.client("ecr").describe_repositories()["repositories"]
    assert "docwarden" in {each["repositoryName"] for each in repositories}
    assert {each["imageTagMutability"] for each in repositories} == {"IMMUTABLE"}


def test_iam_holds_the_roles_of_the_workflows_and_githubs_provider(deployment):
    if deployment.environment.github is None:
        assert "delivery" not in {stack.name for stack in deployment.assembly.stacks}
        return
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
    } <= names
    firewall = f"aws-waf-logs-{deployment.prefix}" in names
    assert firewall is bool(deployment.environment.requests_per_client)
    days = deployment.environment.log_retention_days
    assert {group["retentionInDays"] for group in groups} == {days}


def test_load_balancer_answers_for_one_host_over_tls_or_has_no_domain(deployment):
    elb = deployment.cloud.client("elbv2")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    by_port = {listener["Port"]: listener for listener in listeners}
    if deployment.environment.domain is None:
        assert set(by_port) == {80}
        assert by_port[80]["DefaultActions"][0]["Type"] == "forward"
        return
    assert by_port[80]["DefaultActions"][0]["Type"] == "redirect"
    assert by_port[443]["DefaultActions"][0]["Type"] == "fixed-response"
    (certificate,) = deployment.cloud.client("acm").list_certificates()["CertificateSummaryList"]
    assert by_port[443]["Certificates"][0]["CertificateArn"] == certificate["CertificateArn"]


def test_prometheus_holds_the_rules_of_the_project(deployment):
    amp = deployment.cloud.client("amp")
    if not deployment.environment.prometheus:
        assert amp.list_workspaces()["workspaces"] == []
        return
    (workspace,) = amp.list_workspaces()["workspaces"]
    assert workspace["alias"] == deployment.prefix
    (namespace,) = amp.list_rule_groups_namespaces(workspaceId=workspace["workspaceId"])[
        "ruleGroupsNamespaces"
    ]
    assert namespace["name"] == "docwarden"


def test_outputs_of_the_deployed_stacks_fill_in_the_helm_values(deployment):
    outputs = fetch_outputs(deployment.cloud.client("cloudformation"), deployment.prefix)
    values = helm_values(
        outputs,
        digest=f"sha256:{'0' * 64}",
        upstream_url="https://documents.example/{id}",
        stand_in=False,
    )
    assert values["image"]["repository"].endswith("/docwarden")
    assert len(values["networkPolicy"]["clients"]) == len(deployment.environment.zones)
    assert ("store" in values) is (deployment.environment.store is not None)
    assert ("DOCWARDEN_STALE_IF_ERROR" in values.get("env", {})) is ("store" in values)


def test_cloudwatch_holds_the_dashboard_with_its_log_panels(deployment):
    cloudwatch = deployment.cloud.client("cloudwatch")
    (dashboard,) = cloudwatch.list_dashboards()["DashboardEntries"]
    assert dashboard["DashboardName"] == deployment.prefix
    body = cloudwatch.get_dashboard(DashboardName=deployment.prefix)["DashboardBody"]
    kinds = [widget["type"] for widget in json.loads(body)["widgets"]]
    assert kinds.count("log") == 3
    assert kinds.count("metric") == 4


def test_outputs_lead_people_to_where_they_look(deployment):
    outputs = fetch_outputs(deployment.cloud.client("cloudformation"), deployment.prefix)
    told = links(outputs)
    for name in ("Service", "Dashboard", "Logs", "Alarms"):
        assert f"- {name}: <http" in told
