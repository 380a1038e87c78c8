"""Where people look first: one CloudWatch dashboard with figures and logs, and saved queries."""

from urllib.parse import quote

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_logs as logs
from constructs import Construct

from docwarden_cloud.log_queries import (
    BAD_METRIC,
    GOOD_METRIC,
    LATEST_FAILURES,
    MILLISECONDS_METRIC,
    QUERIES,
)
from docwarden_cloud.service_metrics import ServiceMetrics

_WHOLE, _HALF = 24, 12  # of a dashboard's grid


class ServiceView(Construct):
    """Dashboard and saved log queries of an environment; no manual setup is needed."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        prefix: str,
        pods: logs.ILogGroup,
        targets: elb.IApplicationTargetGroup,
        balancer: elb.IApplicationLoadBalancer,
        service: ServiceMetrics,
    ) -> None:
        super().__init__(scope, name)
        self._group = pods.log_group_name
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=prefix,
            default_interval=Duration.hours(3),
            widgets=[
                [_documents(service), _durations(service)],
                [_answers(balancer, targets), _pods(targets)],
                [
                    self._logs(
                        "Outcomes",
                        QUERIES["outcomes over time"],
                        cloudwatch.LogQueryVisualizationType.STACKEDAREA,
                    ),
                    self._logs(
                        "Failures by reason",
                        QUERIES["failures by reason"],
                        cloudwatch.LogQueryVisualizationType.TABLE,
                    ),
                ],
                [
                    self._logs(
                        "Latest failures",
                        LATEST_FAILURES,
                        cloudwatch.LogQueryVisualizationType.TABLE,
                        width=_WHOLE,
                    )
                ],
            ],
        )
        for title, query in QUERIES.items():
            logs.CfnQueryDefinition(
                self,
                title.title().replace(" ", ""),
                name=f"{prefix}/{title}",
                query_string=query,
                log_group_names=[self._group],
            )

    def _logs(
        self,
        title: str,
        query: str,
        view: cloudwatch.LogQueryVisualizationType,
        *,
        width: int = _HALF,
    ) -> cloudwatch.LogQueryWidget:
        return cloudwatch.LogQueryWidget(
            title=title,
            log_group_names=[self._group],
            query_string=query,
            view=view,
            width=width,
            height=8,
        )


def links(region: str, prefix: str) -> dict[str, str]:
    """Where in the console an environment is looked at: name of a stack output to its URL."""
    console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
    group = quote(quote(f"/aws/containerinsights/{prefix}/application", safe=""), safe="")
    return {
        "DashboardUrl": f"{console}#dashboards:name={prefix}",
        "AlarmsUrl": f"{console}#alarmsV2:?search={prefix}",
        # The console escapes twice, with $ in place of the first percent sign.
        "LogsUrl": f"{console}#logsV2:log-groups/log-group/{group.replace('%', '$')}",
    }


def _documents(service: ServiceMetrics) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title="Documents, and the share that was not delivered",
        left=[service.metric(GOOD_METRIC), service.metric(BAD_METRIC)],
        right=[service.bad_ratio()],
        stacked=True,
        width=_HALF,
    )


def _durations(service: ServiceMetrics) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title="Delivery, milliseconds",
        left=[service.metric(MILLISECONDS_METRIC, each) for each in ("p50", "p99")],
        left_annotations=[
            cloudwatch.HorizontalAnnotation(value=500, label="promised to 99 in 100")
        ],
        width=_HALF,
    )


def _answers(
    balancer: elb.IApplicationLoadBalancer, targets: elb.IApplicationTargetGroup
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title="Answers by the load balancer",
        left=[
            targets.metrics.http_code_target(elb.HttpCodeTarget.TARGET_2XX_COUNT),
            targets.metrics.http_code_target(elb.HttpCodeTarget.TARGET_5XX_COUNT),
            balancer.metrics.http_code_elb(elb.HttpCodeElb.ELB_5XX_COUNT),
        ],
        width=_HALF,
    )


def _pods(targets: elb.IApplicationTargetGroup) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title="Pods that take requests, and that do not",
        left=[targets.metrics.healthy_host_count(), targets.metrics.unhealthy_host_count()],
        width=_HALF,
    )
