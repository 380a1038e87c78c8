"""Grafana, managed, for the project's dashboards."""

from aws_cdk import Stack
from aws_cdk import aws_grafana as grafana
from aws_cdk import aws_iam as iam
from constructs import Construct

from docwarden_cloud.environments import Environment
from docwarden_cloud.findings import accept


class Grafana(Construct):
    """Amazon Managed Grafana that may read one Prometheus workspace and the alert topic's name."""

    def __init__(
        self, scope: Construct, name: str, *, environment: Environment, workspace_arn: str
    ) -> None:
        super().__init__(scope, name)
        stack = Stack.of(self)
        role = iam.Role(
            self,
            "Role",
            description="Managed Grafana: query the Prometheus workspace",
            assumed_by=iam.ServicePrincipal(
                "grafana.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
            ),
        )
        iam.Policy(
            self,
            "Query",
            roles=[role],
            statements=[
                iam.PolicyStatement(
                    sid="Query",
                    actions=[
                        "aps:DescribeWorkspace",
                        "aps:GetLabels",
                        "aps:GetMetricMetadata",
                        "aps:GetSeries",
                        "aps:QueryMetrics",
                    ],
                    resources=[workspace_arn],
                ),
                # Lists have no resource to name; it yields names, no data.
                iam.PolicyStatement(sid="Choose", actions=["aps:ListWorkspaces"], resources=["*"]),
            ],
        )
        accept(
            self,
            {"AwsSolutions-IAM5[Resource::*]": "aps:ListWorkspaces takes no resource in IAM."},
        )
        self.workspace = grafana.CfnWorkspace(
            self,
            "Workspace",
            name=environment.prefix,
            account_access_type="CURRENT_ACCOUNT",
            authentication_providers=["AWS_SSO"],
            permission_type="CUSTOMER_MANAGED",
            role_arn=role.role_arn,
            data_sources=["PROMETHEUS"],
        )
