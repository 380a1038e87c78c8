"""Keys that the account owns, for data at rest."""

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct


class DataKey(Construct):
    """A KMS key that rotates yearly, for one purpose."""

    def __init__(self, scope: Construct, name: str, *, purpose: str, keep: bool) -> None:
        super().__init__(scope, name)
        self.key = kms.Key(
            self,
            "Key",
            description=purpose,
            enable_key_rotation=True,
            removal_policy=RemovalPolicy.RETAIN if keep else RemovalPolicy.DESTROY,
        )

    def allow_log_groups(self, name_pattern: str) -> None:
        """Let CloudWatch Logs use the key, for log groups of this account with such a name."""
        stack = Stack.of(self)
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LogGroups",
                principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
                actions=["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*"],
                resources=["*"],  # in a key's own policy this means that key
                conditions={
                    "ArnLike": {
                        "kms:EncryptionContext:aws:logs:arn": (
                            f"arn:{stack.partition}:logs:{stack.region}:{stack.account}"
                            f":log-group:{name_pattern}"
                        ),
                    },
                },
            ),
        )

    def allow_services(self, *services: str) -> None:
        """Let AWS services encrypt what they send, on behalf of this account only."""
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Services",
                principals=[iam.ServicePrincipal(service) for service in services],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],  # in a key's own policy this means that key
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            ),
        )
