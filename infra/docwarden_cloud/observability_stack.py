"""The stack of what people look at, and of what tells them to."""

from typing import Any

from aws_cdk import CfnOutput, Fn, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from constructs import Construct

from docwarden_cloud.alarms import Alarms
from docwarden_cloud.alerts import Alerts, Budget
from docwarden_cloud.container_logs import ContainerLogs
from docwarden_cloud.environments import Environment
from docwarden_cloud.grafana import Grafana
from docwarden_cloud.metrics import Metrics
from docwarden_cloud.monitoring import Monitoring
from docwarden_cloud.service_metrics import ServiceMetrics
from docwarden_cloud.service_view import ServiceView, links
from docwarden_cloud.stacks import ClusterStack, EdgeStack


class ObservabilityStack(Stack):
    """Logs, metrics, alarms, dashboards and the budget."""

    workspace_arn: str | None = None
    """Where there is a managed Prometheus."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        environment: Environment,
        monitoring: Monitoring,
        cluster: ClusterStack,
        edge: EdgeStack,
        vpc: ec2.IVpc,
        log_key: kms.IKey,
        **options: Any,
    ) -> None:
        super().__init__(scope, name, **options)
        self._environment = environment
        self._alerts = Alerts(self, "Alerts", environment=environment, key=log_key)
        Budget(self, "Budget", environment=environment, topic=self._alerts.topic)
        logs = ContainerLogs(
            self, "Logs", environment=environment, cluster=cluster.cluster, log_key=log_key
        )
        self._watch(logs, edge)
        nodes = vpc.select_subnets(subnet_group_name="Nodes")
        if environment.prometheus:
            metrics = Metrics(
                self,
                "Metrics",
                environment=environment,
                monitoring=monitoring,
                alerts=self._alerts,
                log_key=log_key,
            )
            metrics.collect_from(
                cluster.cluster,
                subnets=nodes.subnet_ids,
                security_group=cluster.cluster.cluster_security_group,
            )
            self.workspace_arn = metrics.workspace.attr_arn
            CfnOutput(self, "PrometheusEndpoint", value=metrics.workspace.attr_prometheus_endpoint)
        if environment.grafana and self.workspace_arn:
            grafana = Grafana(
                self, "Grafana", environment=environment, workspace_arn=self.workspace_arn
            )
            CfnOutput(self, "GrafanaUrl", value=f"https://{grafana.workspace.attr_endpoint}/")
        CfnOutput(
            self,
            "CollectorCidrs",
            value=Fn.join(",", [subnet.ipv4_cidr_block for subnet in nodes.subnets]),
        )

    def _watch(self, logs: ContainerLogs, edge: EdgeStack) -> None:
        """Make what people look at and what tells them to, without a hand."""
        prefix = self._environment.prefix
        service = ServiceMetrics(self, "Service", namespace=prefix, pods=logs.pods)
        ServiceView(
            self,
            "View",
            prefix=prefix,
            pods=logs.pods,
            service=service,
            targets=edge.target_group,
            balancer=edge.balancer,
        )
        Alarms(
            self,
            "Alarms",
            prefix=prefix,
            topic=self._alerts.topic,
            service=None if self._environment.prometheus else service,
            targets=edge.target_group,
            balancer=edge.balancer,
        )
        for output, url in links(self._environment.region, prefix).items():
            CfnOutput(self, output, value=url)
