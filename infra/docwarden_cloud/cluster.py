"""The Kubernetes cluster: managed nodes that are always there, Auto Mode for what comes on top."""

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from docwarden_cloud.encryption import DataKey
from docwarden_cloud.environments import Environment
from docwarden_cloud.findings import accept
from docwarden_cloud.log_groups import log_group
from docwarden_cloud.nodes import auto_node_role

_AWS_POLICY = "AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{}]"
_ADMINISTRATORS = "AWSReservedSSO_AdministratorAccess_*"


class Cluster(Construct):
    """EKS cluster with its key, its logs and the role of its administrators."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        environment: Environment,
        vpc: ec2.IVpc,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(scope, name)
        secrets_key = DataKey(
            self,
            "SecretsKey",
            purpose="docwarden: Kubernetes secrets",
            keep=environment.keeps_data,
        )
        # EKS would make the group itself, without retention and without the key.
        logs = log_group(
            self,
            "ControlPlaneLogs",
            name=f"/aws/eks/{environment.prefix}/cluster",
            environment=environment,
            key=log_key,
        )
        self.security_group = ec2.SecurityGroup(
            self,
            "ControlPlane",
            vpc=vpc,
            description="EKS control plane: the Kubernetes API",
            allow_all_outbound=False,
        )
        self.cluster = eks.Cluster(
            self,
            "Cluster",
            cluster_name=environment.prefix,
            version=eks.KubernetesVersion.of(environment.kubernetes_version),
            vpc=vpc,
            vpc_subnets=[ec2.SubnetSelection(subnet_group_name="Nodes")],
            security_group=self.security_group,
            endpoint_access=_endpoint(environment),
            secrets_encryption_key=secrets_key.key,
            cluster_logging=[
                eks.ClusterLoggingTypes.API,
                eks.ClusterLoggingTypes.AUDIT,
                eks.ClusterLoggingTypes.AUTHENTICATOR,
                eks.ClusterLoggingTypes.CONTROLLER_MANAGER,
                eks.ClusterLoggingTypes.SCHEDULER,
            ],
            default_capacity_type=eks.DefaultCapacityType.AUTOMODE,
            compute=eks.ComputeConfig(
                node_pools=["general-purpose"], node_role=auto_node_role(self)
            ),
            bootstrap_cluster_creator_admin_permissions=False,
            bootstrap_self_managed_addons=False,
            output_config_command=False,
        )
        # Orders kubectl after the cluster; nothing here runs kubectl.
        self.cluster.node.try_remove_child("KubectlReadyBarrier")
        self.cluster.node.add_dependency(logs)
        self._accept_findings()
        self._admit_administrators(environment)

    def _admit_administrators(self, environment: Environment) -> None:
        stack = Stack.of(self)
        administrators = (
            f"arn:{stack.partition}:iam::{stack.account}:role/aws-reserved/sso.amazonaws.com/"
        )
        role = iam.Role(
            self,
            "Administrator",
            role_name=f"{environment.prefix}-cluster-admin",
            description="People who administer the cluster, signed in through IAM Identity Center",
            assumed_by=iam.AccountRootPrincipal().with_conditions(
                {"ArnLike": {"aws:PrincipalArn": f"{administrators}*{_ADMINISTRATORS}"}}
            ),
        )
        self.cluster.grant_access(
            "AdministratorAccess",
            role.role_arn,
            [
                eks.AccessPolicy.from_access_policy_name(
                    "AmazonEKSClusterAdminPolicy", access_scope_type=eks.AccessScopeType.CLUSTER
                )
            ],
        )

    def _accept_findings(self) -> None:
        reason = "EKS documents this AWS managed policy for the cluster role and keeps it current."
        policies = (
            "AmazonEKSClusterPolicy",
            "AmazonEKSComputePolicy",
            "AmazonEKSBlockStoragePolicy",
            "AmazonEKSLoadBalancingPolicy",
            "AmazonEKSNetworkingPolicy",
        )
        accept(self.cluster, {_AWS_POLICY.format(policy): reason for policy in policies})


def _endpoint(environment: Environment) -> eks.EndpointAccess:
    if environment.api_access_cidrs:
        return eks.EndpointAccess.PUBLIC_AND_PRIVATE.only_from(*environment.api_access_cidrs)
    return eks.EndpointAccess.PRIVATE
