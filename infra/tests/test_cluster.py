"""The cluster, by type and property."""

import json

import pytest

from docwarden_cloud.environments import Environment
from testkit.assembly import Assembly


def test_version_is_a_value_and_the_api_is_for_named_networks(
    assembly: Assembly, environment: Environment
):
    cluster = assembly["cluster"].only("AWS::EKS::Cluster")
    assert cluster["Name"] == f"docwarden-{assembly.environment}"
    assert cluster["Version"] == "1.36"
    access = cluster["ResourcesVpcConfig"]
    assert access["EndpointPublicAccess"] is bool(environment.api_access_cidrs)
    assert access.get("PublicAccessCidrs", []) == list(environment.api_access_cidrs)
    assert cluster["ResourcesVpcConfig"]["EndpointPrivateAccess"] is True


def test_secrets_are_encrypted_and_every_control_plane_log_is_kept(assembly: Assembly):
    cluster = assembly["cluster"].only("AWS::EKS::Cluster")
    (encryption,) = cluster["EncryptionConfig"]
    assert encryption["Resources"] == ["secrets"]
    types = {entry["Type"] for entry in cluster["Logging"]["ClusterLogging"]["EnabledTypes"]}
    assert types == {"api", "audit", "authenticator", "controllerManager", "scheduler"}


def test_whoever_creates_the_cluster_is_not_its_administrator_for_ever(assembly: Assembly):
    access = assembly["cluster"].only("AWS::EKS::Cluster")["AccessConfig"]
    assert access == {
        "AuthenticationMode": "API",
        "BootstrapClusterCreatorAdminPermissions": False,
    }


def test_auto_mode_adds_nodes_storage_and_load_balancing(assembly: Assembly):
    cluster = assembly["cluster"].only("AWS::EKS::Cluster")
    assert cluster["ComputeConfig"]["Enabled"] is True
    assert cluster["ComputeConfig"]["NodePools"] == ["general-purpose"]
    # EKS refuses Auto Mode unless all three are on.
    assert cluster["StorageConfig"]["BlockStorage"]["Enabled"] is True
    assert cluster["KubernetesNetworkConfig"]["ElasticLoadBalancing"]["Enabled"] is True


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("demo", {"x86": ("t3a.medium", 1)}),
        ("staging", {"graviton": ("t4g.medium", 1), "x86": ("t3.medium", 1)}),
        ("production", {"graviton": ("m7g.large", 3), "x86": ("m7i.large", 1)}),
    ],
)
def test_managed_nodes_are_there_on_each_architecture(
    name: str,
    expected: dict[str, tuple[str, int]],
    request: pytest.FixtureRequest,
):
    groups = request.getfixturevalue(name)["cluster"].resources("AWS::EKS::Nodegroup")
    assert {
        group["Properties"]["NodegroupName"]: (
            group["Properties"]["InstanceTypes"][0],
            group["Properties"]["ScalingConfig"]["DesiredSize"],
        )
        for group in groups.values()
    } == expected


def test_disks_of_nodes_are_encrypted(assembly: Assembly):
    templates = assembly["cluster"].resources("AWS::EC2::LaunchTemplate").values()
    assert len(templates) == len(assembly["cluster"].resources("AWS::EKS::Nodegroup"))
    for template in templates:
        disks = template["Properties"]["LaunchTemplateData"]["BlockDeviceMappings"]
        assert len(disks) == 2
        assert all(disk["Ebs"]["Encrypted"] is True for disk in disks)


def addons(assembly: Assembly) -> dict[str, dict[str, str]]:
    return {
        resource["Properties"]["AddonName"]: resource["Properties"]
        for _, _, resource in assembly.resources()
        if resource["Type"] == "AWS::EKS::Addon"
    }


def test_addons_are_those_that_the_service_needs(assembly: Assembly):
    assert set(addons(assembly)) == {
        "amazon-cloudwatch-observability",
        "coredns",
        "eks-pod-identity-agent",
        "kube-proxy",
        "metrics-server",
        "vpc-cni",
    }


def test_network_policies_are_enforced(assembly: Assembly):
    configuration = json.loads(addons(assembly)["vpc-cni"]["ConfigurationValues"])
    assert configuration["enableNetworkPolicy"] == "true"


def test_nodes_wait_for_the_network_and_coredns_waits_for_nodes(assembly: Assembly):
    stack = assembly["cluster"]
    ids = {
        resource["Properties"]["AddonName"]: logical_id
        for logical_id, resource in stack.resources("AWS::EKS::Addon").items()
    }
    groups = stack.resources("AWS::EKS::Nodegroup")
    for group in groups.values():
        assert ids["vpc-cni"] in group["DependsOn"]
    assert set(groups) <= set(stack.resources("AWS::EKS::Addon")[ids["coredns"]]["DependsOn"])


def test_nothing_is_injected_into_pods(assembly: Assembly, environment: Environment):
    # With its defaults the add-on injects init containers, which "restricted" refuses.
    (role,) = [name for name in addons(assembly) if name == "amazon-cloudwatch-observability"]
    configuration = json.loads(addons(assembly)[role]["ConfigurationValues"])
    signals = configuration["manager"]["applicationSignals"]
    assert signals["autoMonitor"]["monitorAllServices"] is False
    agent = configuration["agent"]["config"]
    assert "application_signals" not in json.dumps(agent)
    assert "traces" not in agent
    insights = "enhanced_container_insights" in json.dumps(agent)
    assert insights is environment.container_insights
