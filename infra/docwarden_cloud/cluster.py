"""The Kubernetes cluster: managed nodes that are always there, Auto Mode for what comes on top."""

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from docwarden_cloud.encryption import DataKey
from docwarden_cloud.environments import ADMINISTRATOR, Environment
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
        if environment.api_access_cidrs:
            # `only_from` wants private subnets, for nodes that would come from outside; ours ask
            # the private endpoint from whichever subnet.
            self.cluster.node.find_child("Resource").add_property_override(  # type: ignore[attr-defined]  # a CfnCluster
                "ResourcesVpcConfig.PublicAccessCidrs", list(environment.api_access_cidrs)
            )
        self._accept_findings(environment)
        self._admit_administrators(environment)

    def _admit_administrators(self, environment: Environment) -> None:
        role = iam.Role(
            self,
            "Administrator",
            role_name=f"{environment.prefix}-{ADMINISTRATOR}",
            description="People who administer the cluster",
            assumed_by=self._administrators(environment),
        )
        # What `aws eks update-kubeconfig` asks; the rest is said inside the cluster.
        iam.Policy(
            self,
            "FindCluster",
            roles=[role],
            statements=[
                iam.PolicyStatement(
                    sid="FindCluster",
                    actions=["eks:DescribeCluster"],
                    resources=[self.cluster.cluster_arn],
                )
            ],
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

    def _administrators(self, environment: Environment) -> iam.IPrincipal:
        account = iam.AccountRootPrincipal()
        if not environment.identity_center:
            return account  # whom the account's own policies let assume it
        stack = Stack.of(self)
        signed_in = (
            f"arn:{stack.partition}:iam::{stack.account}:role/aws-reserved/sso.amazonaws.com/"
            f"*{_ADMINISTRATORS}"
        )
        return account.with_conditions({"ArnLike": {"aws:PrincipalArn": signed_in}})

    def _accept_findings(self, environment: Environment) -> None:
        reason = "EKS documents this AWS managed policy for the cluster role and keeps it current."
        policies = (
            "AmazonEKSClusterPolicy",
            "AmazonEKSComputePolicy",
            "AmazonEKSBlockStoragePolicy",
            "AmazonEKSLoadBalancingPolicy",
            "AmazonEKSNetworkingPolicy",
        )
        accept(self.cluster, {_AWS_POLICY.format(policy): reason for policy in policies})
        if environment.api_access_cidrs:
            reachable = (
                "The API answers the networks of the environment only, and those with a role."
            )
            accept(self.cluster, {"AwsSolutions-EKS1": reachable, "CKV_AWS_39": reachable})


def _endpoint(environment: Environment) -> eks.EndpointAccess:
    if environment.api_access_cidrs:
        return eks.EndpointAccess.PUBLIC_AND_PRIVATE
    return eks.EndpointAccess.PRIVATE
