"""Metrics: a Prometheus workspace with the project's rules, filled from the cluster."""

import json

from aws_cdk import Fn, RemovalPolicy
from aws_cdk import aws_aps as aps
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks_v2 as eks
from aws_cdk import aws_kms as kms
from constructs import Construct

from docwarden_cloud.alerts import Alerts
from docwarden_cloud.environments import SERVICE, Environment
from docwarden_cloud.log_groups import log_group
from docwarden_cloud.monitoring import Monitoring

_SCRAPE_INTERVAL = "30s"  # the rules' ranges suppose it; the chart's ServiceMonitor has it too


class Metrics(Construct):
    """Amazon Managed Service for Prometheus, with collector, rules and alert manager."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        environment: Environment,
        monitoring: Monitoring,
        alerts: Alerts,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(scope, name)
        logs = log_group(
            self,
            "Logs",
            name=f"/aws/vendedlogs/prometheus/{environment.prefix}",
            environment=environment,
            key=log_key,
        )
        self.workspace = aps.CfnWorkspace(
            self,
            "Workspace",
            alias=environment.prefix,
            logging_configuration=aps.CfnWorkspace.LoggingConfigurationProperty(
                log_group_arn=logs.log_group_arn
            ),
            alert_manager_definition=monitoring.alert_manager(
                region=environment.region,
                topics={
                    "pager": alerts.topic.topic_arn,
                    "tickets": alerts.topic.topic_arn,
                    "heartbeat": alerts.heartbeat().topic_arn,
                },
            ),
        )
        if environment.keeps_data:
            self.workspace.apply_removal_policy(RemovalPolicy.RETAIN)
        aps.CfnRuleGroupsNamespace(
            self, "Rules", name=SERVICE, workspace=self.workspace.attr_arn, data=monitoring.rules
        )

    def collect_from(
        self, cluster: eks.Cluster, *, subnets: list[str], security_group: ec2.ISecurityGroup
    ) -> None:
        """Let AWS run the collector; nothing has to be installed in the cluster."""
        aps.CfnScraper(
            self,
            "Collector",
            alias=SERVICE,
            source=aps.CfnScraper.SourceProperty(
                eks_configuration=aps.CfnScraper.EksConfigurationProperty(
                    cluster_arn=cluster.cluster_arn,
                    subnet_ids=subnets,
                    security_group_ids=[security_group.security_group_id],
                )
            ),
            destination=aps.CfnScraper.DestinationProperty(
                amp_configuration=aps.CfnScraper.AmpConfigurationProperty(
                    workspace_arn=self.workspace.attr_arn
                )
            ),
            scrape_configuration=aps.CfnScraper.ScrapeConfigurationProperty(
                configuration_blob=_scrape_configuration()
            ),
        )


def _scrape_configuration() -> str:
    """Scrape the admin listener of every gateway pod. JSON is YAML."""
    configuration = {
        "global": {"scrape_interval": _SCRAPE_INTERVAL, "scrape_timeout": "10s"},
        "scrape_configs": [
            {
                "job_name": SERVICE,
                "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": [SERVICE]}}],
                "relabel_configs": [
                    {
                        "source_labels": ["__meta_kubernetes_pod_container_port_name"],
                        "regex": "admin",
                        "action": "keep",
                    },
                    {
                        "source_labels": ["__meta_kubernetes_pod_phase"],
                        "regex": "Pending|Succeeded|Failed",
                        "action": "drop",
                    },
                    {
                        "source_labels": ["__meta_kubernetes_namespace"],
                        "target_label": "namespace",
                    },
                    {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
                ],
            }
        ],
    }
    # CloudFormation encodes it, so that the text stays readable in templates and diffs.
    return Fn.base64(json.dumps(configuration, indent=1))
