"""EKS for moto's CloudFormation.

moto answers EKS calls, but its CloudFormation knows no EKS resource. These models close the gap:
they hand a template's properties to moto's own EKS backend, which checks them as it does for
``CreateCluster`` and ``CreateNodegroup``. They only translate; they decide nothing.
"""

from typing import Any

from moto.core.common_models import CloudFormationModel
from moto.ec2.models import ec2_backends
from moto.eks.models import Cluster, Nodegroup, eks_backends

Json = dict[str, Any]


class CloudFormationCluster(CloudFormationModel):
    """``AWS::EKS::Cluster``."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @property
    def physical_resource_id(self) -> str:
        """What ``Ref`` yields: the name."""
        return str(self._cluster.name)

    @staticmethod
    def cloudformation_name_type() -> str:
        """Property with the name."""
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        """Type in templates."""
        return "AWS::EKS::Cluster"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether ``Fn::GetAtt`` may ask for it."""
        return attr in _CLUSTER_ATTRIBUTES

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """Answer ``Fn::GetAtt``."""
        return _CLUSTER_ATTRIBUTES[attribute_name](self._cluster)

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Json,
        account_id: str,
        region_name: str,
        **_kwargs: Any,
    ) -> "CloudFormationCluster":
        """Create the cluster in moto's EKS, in subnets and groups that moto's EC2 must hold."""
        properties = cloudformation_json["Properties"]
        vpc = properties["ResourcesVpcConfig"]
        ec2 = ec2_backends[account_id][region_name]
        subnets = ec2.describe_subnets(subnet_ids=vpc["SubnetIds"])
        ec2.describe_security_groups(group_ids=vpc["SecurityGroupIds"])
        cluster = eks_backends[account_id][region_name].create_cluster(
            name=resource_name,
            role_arn=properties["RoleArn"],
            version=properties["Version"],
            resources_vpc_config={
                "vpcId": subnets[0].vpc_id,
                "clusterSecurityGroupId": vpc["SecurityGroupIds"][0],
                **_camel(vpc),
            },
            kubernetes_network_config=_camel(properties.get("KubernetesNetworkConfig")),
            logging=_logging(properties.get("Logging")),
            tags={tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])},
            encryption_config=_camel(properties.get("EncryptionConfig", [])),
        )
        return cls(cluster)


_CLUSTER_ATTRIBUTES = {
    "Arn": lambda cluster: str(cluster.arn),
    "Endpoint": lambda cluster: str(cluster.endpoint),
    "CertificateAuthorityData": lambda cluster: str(cluster.certificate_authority["data"]),
    "ClusterSecurityGroupId": lambda cluster: str(
        cluster.resources_vpc_config["clusterSecurityGroupId"]
    ),
    "OpenIdConnectIssuerUrl": lambda cluster: str(cluster.identity["oidc"]["issuer"]),
}


class CloudFormationNodegroup(CloudFormationModel):
    """``AWS::EKS::Nodegroup``."""

    def __init__(self, group: Nodegroup) -> None:
        self._group = group

    @property
    def physical_resource_id(self) -> str:
        """What ``Ref`` yields: cluster and name."""
        return f"{self._group.cluster_name}/{self._group.nodegroup_name}"

    @staticmethod
    def cloudformation_name_type() -> str:
        """Property with the name."""
        return "NodegroupName"

    @staticmethod
    def cloudformation_type() -> str:
        """Type in templates."""
        return "AWS::EKS::Nodegroup"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Json,
        account_id: str,
        region_name: str,
        **_kwargs: Any,
    ) -> "CloudFormationNodegroup":
        """Create the node group in moto's EKS."""
        properties = cloudformation_json["Properties"]
        ec2_backends[account_id][region_name].describe_subnets(subnet_ids=properties["Subnets"])
        group = eks_backends[account_id][region_name].create_nodegroup(
            cluster_name=properties["ClusterName"],
            node_role=properties["NodeRole"],
            nodegroup_name=resource_name,
            subnets=properties["Subnets"],
            scaling_config=_camel(properties["ScalingConfig"]),
            instance_types=properties.get("InstanceTypes"),
            ami_type=properties.get("AmiType"),
            labels=properties.get("Labels"),
            tags=properties.get("Tags"),
            launch_template=_camel(properties.get("LaunchTemplate")),
            capacity_type=properties.get("CapacityType"),
            version=properties.get("Version"),
        )
        return cls(group)


def _camel(value: Any) -> Any:
    """Templates say ``SubnetIds``, the API says ``subnetIds``."""
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: _camel(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_camel(item) for item in value]
    return value


def _logging(value: Json | None) -> Json | None:
    if value is None:
        return None
    types = [entry["Type"] for entry in value["ClusterLogging"]["EnabledTypes"]]
    return {"clusterLogging": [{"types": types, "enabled": True}]}
