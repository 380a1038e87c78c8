"""Logs of the containers: shipped to CloudWatch by an EKS add-on."""

from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_kms as kms
from constructs import Construct

from docwarden_cloud.addons import addon, pod_role
from docwarden_cloud.environments import Environment
from docwarden_cloud.log_groups import log_group

# The add-on writes to these; made here first, they have a key and a retention.
_STREAMS = ("application", "dataplane", "host", "performance")


class ContainerLogs(Construct):
    """The CloudWatch observability add-on with the groups that it writes to."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        environment: Environment,
        cluster: eks.Cluster,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(scope, name)
        groups = [
            log_group(
                self,
                stream.capitalize(),
                name=f"/aws/containerinsights/{environment.prefix}/{stream}",
                environment=environment,
                key=log_key,
            )
            for stream in _STREAMS
        ]
        role = pod_role(
            self,
            "Role",
            description="CloudWatch agent and Fluent Bit: write logs and node metrics",
            aws_policies=("CloudWatchAgentServerPolicy",),
        )
        shipper = addon(
            self,
            cluster,
            "amazon-cloudwatch-observability",
            {"containerLogs": {"enabled": True}},
            roles={"cloudwatch-agent": role},
        )
        shipper.node.add_dependency(*groups)
