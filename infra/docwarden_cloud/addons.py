"""EKS add-ons: what AWS installs into the cluster and keeps current."""

import json
from typing import Any

from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from docwarden_cloud.findings import accept


class Addons(Construct):
    """The add-ons that make nodes and network policies work.

    No versions are named: EKS then installs the default one for the cluster's Kubernetes
    version, and an upgrade of the cluster takes them along.
    """

    def __init__(self, scope: Construct, name: str, *, cluster: eks.Cluster) -> None:
        super().__init__(scope, name)
        self._cluster = cluster
        cni_role = pod_role(
            self,
            "NetworkRole",
            description="VPC CNI: network interfaces of pods",
            aws_policies=("AmazonEKS_CNI_Policy",),
        )
        # Without enableNetworkPolicy the chart's NetworkPolicy would be accepted and ignored.
        self.network = addon(
            self,
            cluster,
            "vpc-cni",
            {"enableNetworkPolicy": "true"},
            roles={"aws-node": cni_role},
        )
        self.before_nodes = [
            self.network,
            addon(self, cluster, "kube-proxy"),
            addon(self, cluster, "eks-pod-identity-agent"),
        ]
        self.on_nodes = [addon(self, cluster, "coredns"), addon(self, cluster, "metrics-server")]


def addon(
    scope: Construct,
    cluster: eks.Cluster,
    name: str,
    configuration: dict[str, Any] | None = None,
    *,
    roles: dict[str, iam.Role] | None = None,
) -> eks.CfnAddon:
    """Install an add-on; what it manages wins over changes by hand.

    Args:
        scope: Where the construct goes.
        cluster: Into which cluster.
        name: Name of the add-on in EKS.
        configuration: Its settings, by the add-on's own schema.
        roles: Service account to the role that its pods get by pod identity.
    """
    associations = [
        eks.CfnAddon.PodIdentityAssociationProperty(service_account=account, role_arn=role.role_arn)
        for account, role in (roles or {}).items()
    ]
    return eks.CfnAddon(
        scope,
        name,
        addon_name=name,
        cluster_name=cluster.cluster_name,
        resolve_conflicts="OVERWRITE",
        configuration_values=json.dumps(configuration) if configuration else None,
        pod_identity_associations=associations or None,
    )


def pod_role(
    scope: Construct, name: str, *, description: str, aws_policies: tuple[str, ...] = ()
) -> iam.Role:
    """Make a role that pods of this account's clusters get by pod identity."""
    role = iam.Role(
        scope,
        name,
        description=description,
        assumed_by=iam.SessionTagsPrincipal(iam.ServicePrincipal("pods.eks.amazonaws.com")),
        managed_policies=[
            iam.ManagedPolicy.from_aws_managed_policy_name(policy) for policy in aws_policies
        ],
    )
    reason = "The add-on's documentation names this AWS managed policy; it follows the add-on."
    accept(
        role,
        {
            f"AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{policy}]": reason
            for policy in aws_policies
        },
    )
    return role
