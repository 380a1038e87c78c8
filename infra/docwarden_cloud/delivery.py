"""Delivery: what the repository's workflows may do, and nothing more.

Workflows sign in with GitHub's OIDC tokens. Each role trusts one kind of run of one repository,
which it knows by the ids of repository and owner:

* ``push`` runs of the main branch and of release tags: push images to one repository of ECR;
* ``diff`` runs of pull requests: read stacks, change nothing;
* ``deploy`` runs in this GitHub environment, which has its own reviewers: assume the roles of
  ``cdk bootstrap``, and upgrade the release in the service's namespace.
"""

from aws_cdk import Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from docwarden_cloud.environments import SERVICE, Environment, GitHub
from docwarden_cloud.findings import accept

_ISSUER = "token.actions.githubusercontent.com"
_AUDIENCE = "sts.amazonaws.com"
_BOOTSTRAP = "cdk-hnb659fds"  # qualifier of `cdk bootstrap`, unless told otherwise


class Delivery(Construct):
    """GitHub's OIDC provider and the three roles of the workflows."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        environment: Environment,
        github: GitHub,
        repository: ecr.IRepository,
        cluster: eks.Cluster,
        workspace_arn: str | None,
    ) -> None:
        super().__init__(scope, name)
        self._environment = environment
        self._github = github
        self._provider = self._oidc_provider()
        main, tags = "ref:refs/heads/main", "ref:refs/tags/v*"
        self.push = self._role("Push", "push images", subjects=[main, tags])
        self.diff = self._role("Diff", "compare stacks", subjects=["pull_request"])
        self.deploy = self._role(
            "Deploy", "deploy stacks and release", subjects=[f"environment:{environment.name}"]
        )
        self._may_push(repository)
        self._may_read_stacks()
        self._may_deploy(cluster)
        self._may_judge(workspace_arn)

    def _oidc_provider(self) -> iam.IOidcProvider:
        """GitHub's provider: the account's, or a new one, as an account can have only one."""
        stack = Stack.of(self)
        if self._github.provider_exists:
            arn = f"arn:{stack.partition}:iam::{stack.account}:oidc-provider/{_ISSUER}"
            return iam.OidcProviderNative.from_oidc_provider_arn(self, "GitHub", arn)
        return iam.OidcProviderNative(
            self, "GitHub", url=f"https://{_ISSUER}", client_ids=[_AUDIENCE]
        )

    def _role(self, name: str, purpose: str, *, subjects: list[str]) -> iam.Role:
        return iam.Role(
            self,
            name,
            role_name=f"{self._environment.prefix}-{name.lower()}",
            description=f"Workflows of {self._github.slug}: {purpose}",
            assumed_by=iam.OpenIdConnectPrincipal(
                self._provider,
                {
                    "StringEquals": {f"{_ISSUER}:aud": _AUDIENCE},
                    "StringLike": {
                        f"{_ISSUER}:sub": [
                            f"{self._github.subject}:{subject}" for subject in subjects
                        ]
                    },
                },
            ),
        )

    def _allow(self, role: iam.Role, name: str, *statements: iam.PolicyStatement) -> iam.Policy:
        return iam.Policy(self, f"{role.node.id}{name}", roles=[role], statements=[*statements])

    def _may_push(self, repository: ecr.IRepository) -> None:
        policy = self._allow(
            self.push,
            "Images",
            iam.PolicyStatement(
                sid="Push",
                actions=[
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:BatchGetImage",
                    "ecr:CompleteLayerUpload",
                    "ecr:DescribeImageScanFindings",
                    "ecr:DescribeImages",
                    "ecr:GetDownloadUrlForLayer",
                    "ecr:InitiateLayerUpload",
                    "ecr:PutImage",
                    "ecr:UploadLayerPart",
                ],
                resources=[repository.repository_arn],
            ),
            iam.PolicyStatement(
                sid="Login", actions=["ecr:GetAuthorizationToken"], resources=["*"]
            ),
        )
        accept(
            policy,
            {"AwsSolutions-IAM5[Resource::*]": "ecr:GetAuthorizationToken takes no resource."},
        )

    def _read_stacks(self) -> iam.PolicyStatement:
        stack = Stack.of(self)
        return iam.PolicyStatement(
            sid="ReadStacks",
            actions=["cloudformation:DescribeStacks", "cloudformation:GetTemplate"],
            resources=[
                stack.format_arn(
                    service="cloudformation",
                    resource="stack",
                    resource_name=f"{self._environment.prefix}-*/*",
                )
            ],
        )

    def _assume_bootstrap(self, *kinds: str) -> iam.PolicyStatement:
        stack = Stack.of(self)
        return iam.PolicyStatement(
            sid="Bootstrap",
            actions=["sts:AssumeRole"],
            resources=[
                f"arn:{stack.partition}:iam::{stack.account}:role/"
                f"{_BOOTSTRAP}-{kind}-role-{stack.account}-{stack.region}"
                for kind in kinds
            ],
        )

    def _may_read_stacks(self) -> None:
        policy = self._allow(self.diff, "Stacks", self._read_stacks())
        self._accept_stack_names(policy)

    def _may_deploy(self, cluster: eks.Cluster) -> None:
        policy = self._allow(
            self.deploy,
            "Stacks",
            self._read_stacks(),
            self._assume_bootstrap("deploy", "file-publishing", "lookup"),
            iam.PolicyStatement(
                sid="FindCluster",
                actions=["eks:DescribeCluster"],
                resources=[cluster.cluster_arn],
            ),
        )
        self._accept_stack_names(policy)
        eks.CfnAccessEntry(
            self,
            "DeployAccess",
            cluster_name=cluster.cluster_name,
            principal_arn=self.deploy.role_arn,
            # Auto Mode's TargetGroupBinding is beyond the access policy; a RoleBinding of
            # bootstrap-aws.md grants it to this group.
            kubernetes_groups=[f"{SERVICE}-deployers"],
            access_policies=[
                eks.CfnAccessEntry.AccessPolicyProperty(
                    policy_arn=(
                        f"arn:{Stack.of(self).partition}:eks::aws:cluster-access-policy/"
                        "AmazonEKSEditPolicy"
                    ),
                    access_scope=eks.CfnAccessEntry.AccessScopeProperty(
                        type="namespace", namespaces=[SERVICE]
                    ),
                )
            ],
        )

    def _may_judge(self, workspace_arn: str | None) -> None:
        """What a rollout asks before it is called good: its targets, and the error budget."""
        targets = iam.PolicyStatement(
            sid="Targets",
            actions=["elasticloadbalancing:DescribeTargetHealth"],
            resources=["*"],
        )
        budget = iam.PolicyStatement(
            sid="ErrorBudget", actions=["aps:QueryMetrics"], resources=[workspace_arn or ""]
        )
        policy = self._allow(
            self.deploy, "Judgement", targets, *([budget] if workspace_arn else [])
        )
        reason = "elasticloadbalancing:DescribeTargetHealth takes no resource in IAM."
        accept(policy, {"AwsSolutions-IAM5[Resource::*]": reason})

    def _accept_stack_names(self, policy: iam.Policy) -> None:
        rule = (
            "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:cloudformation:"
            f"{self._environment.region}:<AWS::AccountId>:stack/{self._environment.prefix}-*/*]"
        )
        accept(policy, {rule: "Stack ARNs end in a random id; the names are this environment's."})
