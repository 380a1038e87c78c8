"""Runner inside the VPC: the Kubernetes API is private, so deployments have to start there."""

from aws_cdk import Stack
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as log_groups
from constructs import Construct

from docwarden_cloud.encryption import DataKey
from docwarden_cloud.environments import Environment, GitHub
from docwarden_cloud.findings import accept
from docwarden_cloud.log_groups import log_group

# Keeps out workflows that ask for the label by mistake. It stops nobody: who writes a workflow
# names it, and CodeBuild filters such jobs by neither branch nor event. What a job finds in the VPC
# is the limit then: a role that writes a log, and an API that asks who is there.
_WORKFLOW = "^deploy$"


class Runner(Construct):
    """CodeBuild as a runner of GitHub Actions, for the jobs of this environment.

    A workflow asks for it with ``runs-on: codebuild-<project>-<run id>-<attempt>``. Its own role
    may do nothing but write its log and use the connection to GitHub: what a job may do comes from
    the delivery role that it assumes, and GitHub gives tokens for that one to runs in the
    environment only.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        environment: Environment,
        github: GitHub,
        vpc: ec2.IVpc,
        control_plane: ec2.ISecurityGroup,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(scope, name)
        guard = ec2.SecurityGroup(
            self,
            "Guard",
            vpc=vpc,
            description="Deployment runner: nothing in, HTTPS out",
            allow_all_outbound=False,
        )
        guard.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "GitHub, AWS, Kubernetes")
        ec2.CfnSecurityGroupIngress(
            self,
            "ApiAdmitsRunner",
            group_id=control_plane.security_group_id,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            source_security_group_id=guard.security_group_id,
            description="Kubernetes API for the deployment runner",
        )
        logs = log_group(
            self,
            "Logs",
            name=f"/{environment.prefix}/runner",
            environment=environment,
            key=log_key,
        )
        key = DataKey(self, "Encryption", purpose="docwarden: files of the runner", keep=False)
        subnets = vpc.select_subnets(subnet_group_name="Nodes").subnet_ids
        role, policy = self._role(subnets, key=key.key, logs=logs)
        self.project = codebuild.CfnProject(
            self,
            "Project",
            name=f"{environment.prefix}-runner",
            description="GitHub Actions jobs that need the private Kubernetes API",
            service_role=role.role_arn,
            source=codebuild.CfnProject.SourceProperty(
                type="GITHUB", location=f"https://github.com/{github.slug}.git"
            ),
            artifacts=codebuild.CfnProject.ArtifactsProperty(type="NO_ARTIFACTS"),
            triggers=codebuild.CfnProject.ProjectTriggersProperty(
                webhook=True,
                filter_groups=[
                    [_filter("EVENT", "WORKFLOW_JOB_QUEUED"), _filter("WORKFLOW_NAME", _WORKFLOW)]
                ],
            ),
            environment=codebuild.CfnProject.EnvironmentProperty(
                type="ARM_CONTAINER",
                image="aws/codebuild/amazonlinux-aarch64-standard:3.0",
                compute_type="BUILD_GENERAL1_SMALL",
                privileged_mode=False,
            ),
            encryption_key=key.key.key_arn,
            vpc_config=codebuild.CfnProject.VpcConfigProperty(
                vpc_id=vpc.vpc_id, subnets=subnets, security_group_ids=[guard.security_group_id]
            ),
            logs_config=codebuild.CfnProject.LogsConfigProperty(
                cloud_watch_logs=codebuild.CfnProject.CloudWatchLogsConfigProperty(
                    status="ENABLED", group_name=logs.log_group_name
                )
            ),
            concurrent_build_limit=1,
            timeout_in_minutes=60,
        )
        # Making a project uses the connection and the subnets by the role's rights at once:
        # https://github.com/aws/aws-cdk/issues/38504 and /2652
        self.project.node.add_dependency(policy)

    def _role(
        self, subnets: list[str], *, key: kms.IKey, logs: log_groups.LogGroup
    ) -> tuple[iam.Role, iam.Policy]:
        stack = Stack.of(self)
        role = iam.Role(
            self,
            "Role",
            description="Deployment runner: log, network interface, connection to GitHub",
            assumed_by=iam.ServicePrincipal(
                "codebuild.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
            ),
        )
        log_and_files = [
            iam.PolicyStatement(
                sid="Log",
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[logs.log_group_arn],
            ),
            iam.PolicyStatement(
                sid="Files",
                actions=["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
                resources=[key.key_arn],
            ),
        ]
        policy = iam.Policy(
            self,
            "Run",
            roles=[role],
            statements=[*log_and_files, _connection(stack), *_interfaces(stack, subnets)],
        )
        nameless = "An interface and its id exist only once it is made; the subnets are named."
        arn = f"arn:<AWS::Partition>:ec2:{stack.region}:<AWS::AccountId>"
        accept(
            policy,
            {
                "AwsSolutions-IAM5[Resource::*]": "ec2:Describe* actions take no resource in IAM.",
                (
                    "AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:codeconnections:"
                    f"{stack.region}:<AWS::AccountId>:connection/*]"
                ): "A person makes the connection in a browser; its id is nowhere in the tree.",
                f"AwsSolutions-IAM5[Resource::{arn}:network-interface/*]": nameless,
                f"AwsSolutions-IAM5[Resource::{arn}:security-group/*]": nameless,
            },
        )
        return role, policy


def _connection(stack: Stack) -> iam.PolicyStatement:
    """What CodeBuild documents for a GitHub App connection.

    https://docs.aws.amazon.com/codebuild/latest/userguide/connections-github-app.html
    """
    return iam.PolicyStatement(
        sid="Connection",
        actions=["codeconnections:GetConnection", "codeconnections:GetConnectionToken"],
        resources=[
            stack.format_arn(service="codeconnections", resource="connection", resource_name="*")
        ],
    )


def _interfaces(stack: Stack, subnets: list[str]) -> list[iam.PolicyStatement]:
    """What CodeBuild documents for builds in a VPC, narrowed to the subnets of the nodes."""
    ec2_arn = f"arn:{stack.partition}:ec2:{stack.region}:{stack.account}"
    subnet_arns = [f"{ec2_arn}:subnet/{subnet}" for subnet in subnets]
    interfaces = f"{ec2_arn}:network-interface/*"
    return [
        iam.PolicyStatement(
            sid="Describe",
            actions=[
                "ec2:DescribeDhcpOptions",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
            ],
            resources=["*"],
        ),
        iam.PolicyStatement(
            sid="MakeInterface",
            actions=["ec2:CreateNetworkInterface"],
            resources=[*subnet_arns, interfaces, f"{ec2_arn}:security-group/*"],
        ),
        iam.PolicyStatement(
            sid="RemoveInterface", actions=["ec2:DeleteNetworkInterface"], resources=[interfaces]
        ),
        iam.PolicyStatement(
            sid="LendInterface",
            actions=["ec2:CreateNetworkInterfacePermission"],
            resources=[interfaces],
            conditions={
                "StringEquals": {"ec2:AuthorizedService": "codebuild.amazonaws.com"},
                "ArnEquals": {"ec2:Subnet": subnet_arns},
            },
        ),
    ]


def _filter(kind: str, pattern: str) -> codebuild.CfnProject.WebhookFilterProperty:
    return codebuild.CfnProject.WebhookFilterProperty(type=kind, pattern=pattern)
