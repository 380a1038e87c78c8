"""What differs between the environments, and what values are refused."""

from dataclasses import replace

import pytest

from app import ENVIRONMENTS, PRODUCTION, STAGING
from docwarden_cloud.environments import NodeGroup
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


def test_staging_leaves_nothing_behind(staging: Assembly):
    for stack, logical_id, resource in staging.resources():
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


def test_runner_takes_jobs_of_workflows_named_deploy_only(assembly: Assembly):
    project = assembly["delivery"].only("AWS::CodeBuild::Project")
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
        ({"nat_gateways": 2}, "1 or 3"),
        ({"nat_gateways": 0}, "1 or 3"),
        ({"github_repository": "docwarden"}, "owner/name"),
        ({"github_repository": "docwarden/*"}, "owner/name"),
    ],
)
def test_values_that_would_fail_late_or_open_too_much_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(STAGING, **change)


def test_a_node_group_without_nodes_is_refused():
    with pytest.raises(ValueError, match="at least one"):
        NodeGroup(instance_type="t4g.medium", size=0)


def test_environments_are_named_apart():
    assert (STAGING.prefix, PRODUCTION.prefix) == ("docwarden-staging", "docwarden-production")
