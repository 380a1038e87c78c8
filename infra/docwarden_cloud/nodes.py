"""The nodes: managed groups, and the role of those that come on top."""

from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from docwarden_cloud.environments import Environment, NodeGroup
from docwarden_cloud.findings import accept

_AWS_POLICY = "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{}]"
_SYSTEM_GIB = 4  # Bottlerocket's own, read-only
_IMAGES = {
    "arm64": eks.NodegroupAmiType.BOTTLEROCKET_ARM_64,
    "amd64": eks.NodegroupAmiType.BOTTLEROCKET_X86_64,
}


def _node_role(scope: Construct, name: str, *, description: str, policy: str) -> iam.Role:
    policies = (policy, "AmazonEC2ContainerRegistryPullOnly")
    role = iam.Role(
        scope,
        name,
        description=description,
        assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"),
        managed_policies=[
            iam.ManagedPolicy.from_aws_managed_policy_name(each) for each in policies
        ],
    )
    reason = "The least that EKS documents for nodes; pods have roles of their own by pod identity."
    accept(role, {_AWS_POLICY.format(each): reason for each in policies})
    return role


def auto_node_role(scope: Construct) -> iam.Role:
    """Make the role of nodes that Auto Mode starts."""
    return _node_role(
        scope,
        "AutoNodeRole",
        description="Nodes that EKS Auto Mode starts when the managed groups are full",
        policy="AmazonEKSWorkerNodeMinimalPolicy",
    )


class ManagedNodes(Construct):
    """Managed node groups, on Bottlerocket."""

    def __init__(
        self, scope: Construct, name: str, *, environment: Environment, cluster: eks.Cluster
    ) -> None:
        super().__init__(scope, name)
        self._role = _node_role(
            self,
            "Role",
            description="Nodes of the managed groups",
            policy="AmazonEKSWorkerNodePolicy",
        )
        self.groups = [self._group(environment, cluster, group) for group in environment.nodes]

    def _group(
        self, environment: Environment, cluster: eks.Cluster, group: NodeGroup
    ) -> eks.Nodegroup:
        template = self._launch_template(environment, group)
        return eks.Nodegroup(
            self,
            group.name.capitalize(),
            cluster=cluster,  # type: ignore[arg-type]  # the stub of Cluster lacks a property
            nodegroup_name=group.name,
            node_role=self._role,
            ami_type=_IMAGES[group.architecture],
            instance_types=[ec2.InstanceType(group.instance_type)],
            min_size=group.size,
            desired_size=group.size,
            max_size=group.size,
            max_unavailable=1,
            enable_node_auto_repair=True,
            subnets=ec2.SubnetSelection(subnet_group_name="Nodes"),
            launch_template_spec=eks.LaunchTemplateSpec(
                id=str(template.launch_template_id), version=template.latest_version_number
            ),
        )

    def _launch_template(self, environment: Environment, group: NodeGroup) -> ec2.LaunchTemplate:
        return ec2.LaunchTemplate(
            self,
            f"{group.name.capitalize()}Template",
            launch_template_name=f"{environment.prefix}-{group.name}",
            # One hop: a pod cannot ask for the node's credentials.
            http_tokens=ec2.LaunchTemplateHttpTokens.REQUIRED,
            http_put_response_hop_limit=1,
            http_endpoint=True,
            detailed_monitoring=True,
            block_devices=[
                _disk("/dev/xvda", _SYSTEM_GIB),
                _disk("/dev/xvdb", group.disk_gib),
            ],
        )


def _disk(device: str, gib: int) -> ec2.BlockDevice:
    return ec2.BlockDevice(
        device_name=device,
        volume=ec2.BlockDeviceVolume.ebs(
            gib, volume_type=ec2.EbsDeviceVolumeType.GP3, encrypted=True, delete_on_termination=True
        ),
    )
