"""Alarms of CloudWatch: what clients feel, told to the addresses of the environment."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_elasticloadbalancingv2 as elb
from aws_cdk import aws_sns as sns
from constructs import Construct

from docwarden_cloud.log_queries import MILLISECONDS_METRIC
from docwarden_cloud.service_metrics import ServiceMetrics

_BURN = (
    0.0144  # 14.4 times the budget of 0.1 %: the fastest page of monitoring/, over an hour there
)
_SLOW_MS = 500  # the promise of docs/explanation/slo.md


class Alarms(Construct):
    """The load balancer's view everywhere; the log's view where no Prometheus alerts by rules."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        prefix: str,
        topic: sns.ITopic,
        targets: elb.IApplicationTargetGroup,
        balancer: elb.IApplicationLoadBalancer,
        service: ServiceMetrics | None,
    ) -> None:
        super().__init__(scope, name)
        self._prefix = prefix
        self._tell = actions.SnsAction(topic)
        minute, five = Duration.minutes(1), Duration.minutes(5)
        self._alarm(
            "no-pods",
            "No pod takes requests: docs/runbooks/DocwardenDown.md",
            targets.metrics.healthy_host_count(statistic="Maximum", period=minute),
            threshold=1,
            periods=3,
            too_few=True,
        )
        self._alarm(
            "refused",
            "The load balancer answers 5xx itself, as it has nobody to ask",
            balancer.metrics.http_code_elb(elb.HttpCodeElb.ELB_5XX_COUNT, period=five),
            threshold=5,
            periods=1,
        )
        if service:
            self._alarm(
                "documents-missing",
                "Documents are not delivered: docs/runbooks/DocwardenDocumentsBudgetBurn.md",
                service.bad_ratio(),
                threshold=_BURN,
                periods=2,
            )
            self._alarm(
                "slow",
                "One delivery in a hundred takes longer than promised:"
                " docs/runbooks/DocwardenLatencyBudgetBurn.md",
                service.metric(MILLISECONDS_METRIC, "p99"),
                threshold=_SLOW_MS,
                periods=3,
            )

    def _alarm(
        self,
        name: str,
        description: str,
        metric: cloudwatch.IMetric,
        *,
        threshold: float,
        periods: int,
        too_few: bool = False,
    ) -> None:
        operators, missing = cloudwatch.ComparisonOperator, cloudwatch.TreatMissingData
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self._prefix}-{name}",
            alarm_description=description,
            metric=metric,
            threshold=threshold,
            comparison_operator=(
                operators.LESS_THAN_THRESHOLD if too_few else operators.GREATER_THAN_THRESHOLD
            ),
            evaluation_periods=periods,
            # No figure is the worst case of too few, and no case of too many.
            treat_missing_data=missing.BREACHING if too_few else missing.NOT_BREACHING,
        )
        alarm.add_alarm_action(self._tell)
        alarm.add_ok_action(self._tell)
