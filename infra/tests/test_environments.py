"""What differs between the environments, and what values are refused."""

from dataclasses import replace

import pytest

from docwarden_cloud.environments import GitHub, NodeGroup
from docwarden_cloud.values import DEMO, ENVIRONMENTS, PRODUCTION, STAGING, named, personal
from testkit.assembly import Assembly

DATA = {
    "AWS::APS::Workspace",
    "AWS::ECR::Repository",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
}


def test_production_keeps_its_data_when_a_stack_goes(production: Assembly):
    for stack, logical_id, resource in production.resources():
        if resource["Type"] in DATA and not logical_id.startswith("RunnerEncryption"):
            assert resource["DeletionPolicy"] == "Retain", f"{stack.name}/{logical_id}"


@pytest.mark.parametrize("name", ["demo", "staging"])
def test_what_keeps_no_data_leaves_nothing_behind(name: str, request: pytest.FixtureRequest):
    for stack, logical_id, resource in request.getfixturevalue(name).resources():
        assert resource.get("DeletionPolicy", "Delete") == "Delete", f"{stack.name}/{logical_id}"


def test_production_stacks_refuse_to_be_deleted(staging: Assembly, production: Assembly):
    assert not any(stack.terminates for stack in production.stacks)
    assert all(stack.terminates for stack in staging.stacks)


def test_costs_can_be_told_apart_by_tags(assembly: Assembly):
    vpc = assembly["network"].only("AWS::EC2::VPC")
    tags = {tag["Key"]: tag["Value"] for tag in vpc["Tags"]}
    assert tags["service"] == "docwarden"
    assert tags["environment"] == assembly.environment


def test_only_production_has_a_store(staging: Assembly, production: Assembly):
    assert "store" not in {stack.name for stack in staging.stacks}
    group = production["store"].only("AWS::ElastiCache::ReplicationGroup")
    assert group["Engine"] == "valkey"
    assert group["TransitEncryptionEnabled"] is True
    assert group["TransitEncryptionMode"] == "required"
    assert group["AtRestEncryptionEnabled"] is True
    assert group["MultiAZEnabled"] is True
    assert "resolve:secretsmanager" in str(group["AuthToken"])


def test_runner_takes_jobs_of_workflows_named_deploy_only(delivered: Assembly):
    project = delivered["delivery"].only("AWS::CodeBuild::Project")
    (group,) = project["Triggers"]["FilterGroups"]
    assert {each["Type"]: each["Pattern"] for each in group} == {
        "EVENT": "WORKFLOW_JOB_QUEUED",
        "WORKFLOW_NAME": "^deploy$",
    }
    assert project["Environment"]["PrivilegedMode"] is False


def test_templates_carry_no_account_number(assembly: Assembly):
    assert all(stack.body["Resources"] for stack in assembly.stacks)
    for stack in assembly.stacks:
        assert "123456789012" not in stack.path.read_text()


def test_networks_of_environments_do_not_overlap():
    assert len({environment.cidr for environment in ENVIRONMENTS}) == len(ENVIRONMENTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nat_gateways": 2}, "0, 1 or 3"),
        ({"zones": ("a",)}, "two or three"),
        ({"api_access_cidrs": ("everybody",)}, "everybody"),
        ({"api_access_cidrs": ("198.51.100.4/24",)}, "host bits"),
        ({"grafana": True, "prometheus": False}, "shows Prometheus"),
        ({"grafana": True, "identity_center": False}, "IAM Identity Center"),
    ],
)
def test_values_that_would_fail_late_or_open_too_much_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(STAGING, **change)


def test_a_node_group_without_nodes_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        NodeGroup(name="arm", architecture="arm64", instance_type="t4g.medium", size=0)


def test_environments_are_named_apart():
    assert (STAGING.prefix, PRODUCTION.prefix) == ("docwarden-staging", "docwarden-production")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"owner": "doc/warden"}, "no name of an owner"),
        ({"name": "docwarden:*"}, "no name of an owner"),
        ({"owner_id": 0}, "positive numbers"),
    ],
)
def test_a_repository_that_no_token_would_name_is_refused(change, message):
    given = {"owner": "docwarden", "owner_id": 7, "name": "docwarden", "repository_id": 8}
    with pytest.raises(ValueError, match=message):
        GitHub(**{**given, **change})


def test_runner_may_use_its_connection_before_the_project_is_made(delivered: Assembly):
    stack = delivered["delivery"]
    (project,) = stack.resources("AWS::CodeBuild::Project").values()
    policies = {
        logical_id
        for logical_id, policy in stack.resources("AWS::IAM::Policy").items()
        if "codeconnections:GetConnectionToken" in str(policy)
        and "codeconnections:GetConnection'" in str(policy)
    }
    assert len(policies) == 1
    assert policies <= set(project["DependsOn"])


def test_whoever_runs_the_demo_says_where_from_and_who_is_told():
    mine = {"access": "198.51.100.4/32,198.51.100.9/32", "notify": "me@example.org"}
    demo = personal(DEMO, mine.get)
    assert demo.api_access_cidrs == ("198.51.100.4/32", "198.51.100.9/32")
    assert demo.alert_emails == ("me@example.org",)
    assert personal(DEMO, dict[str, str]().get) == DEMO
    assert personal(STAGING, mine.get) == STAGING


def test_an_unknown_environment_is_told_from_those_that_there_are():
    with pytest.raises(ValueError, match="there are demo, staging, production"):
        named("prod")


def test_the_demo_is_one_account_without_what_costs_or_asks_for_more(demo: Assembly):
    types = {resource["Type"] for _, _, resource in demo.resources()}
    assert not types & {
        "AWS::APS::Scraper",
        "AWS::EC2::NatGateway",
        "AWS::Grafana::Workspace",
        "AWS::Route53::HostedZone",
        "AWS::WAFv2::WebACL",
    }
    assert {stack.name for stack in demo.stacks} == {
        "cluster",
        "edge",
        "network",
        "observability",
        "registry",
    }
