"""Logs of the containers: shipped to CloudWatch by an EKS add-on."""

from typing import Any

from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_kms as kms
from constructs import Construct

from docwarden_cloud.addons import addon, pod_role
from docwarden_cloud.environments import Environment
from docwarden_cloud.log_groups import log_group

# The add-on writes to these; made here first, they have a key and a retention.
_STREAMS = ("application", "dataplane", "host", "performance")

# By default the add-on monitors every service: it injects init containers, some of them without a
# security context, and Pod Security "restricted" then refuses the pod.
# https://github.com/aws/containers-roadmap/issues/2781
# https://github.com/aws/amazon-cloudwatch-agent-operator/issues/361
# The agent's own default configuration has `application_signals`; naming one replaces it.
# https://github.com/aws-observability/helm-charts (amazon-cloudwatch-observability/values.yaml)
_NO_INJECTION = {"applicationSignals": {"autoMonitor": {"monitorAllServices": False}}}
_NODES_AND_PODS = {"kubernetes": {"enhanced_container_insights": True}}
_NOTHING: dict[str, Any] = {
    "emf": {}
}  # a listener that nobody calls: the agent does not start without any input


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
        groups = {
            stream: log_group(
                self,
                stream.capitalize(),
                name=f"/aws/containerinsights/{environment.prefix}/{stream}",
                environment=environment,
                key=log_key,
            )
            for stream in _STREAMS
        }
        self.pods = groups["application"]
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
            _configuration(environment),
            roles={"cloudwatch-agent": role},
        )
        shipper.node.add_dependency(*groups.values())


def _configuration(environment: Environment) -> dict[str, Any]:
    collected = _NODES_AND_PODS if environment.container_insights else _NOTHING
    return {
        "containerLogs": {"enabled": True},
        "manager": _NO_INJECTION,
        "agent": {"config": {"logs": {"metrics_collected": collected}}},
    }
