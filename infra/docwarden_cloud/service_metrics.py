"""Metrics that CloudWatch counts from the log of the service, for alarms and dashboards."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from docwarden_cloud.log_queries import (
    BAD_METRIC,
    GOOD_METRIC,
    MILLISECONDS_METRIC,
    outcome_pattern,
)


class ServiceMetrics(Construct):
    """Good and bad documents, and how long deliveries took, from one event a request."""

    def __init__(
        self, scope: Construct, name: str, *, namespace: str, pods: logs.ILogGroup
    ) -> None:
        super().__init__(scope, name)
        self._namespace = namespace
        self._pods = pods
        self._filter(GOOD_METRIC, outcome_pattern(good=True), value="1", default=0)
        self._filter(BAD_METRIC, outcome_pattern(good=False), value="1", default=0)
        self._filter(
            MILLISECONDS_METRIC,
            '{ $.log_processed.outcome = "delivered" }',
            value="$.log_processed.total_ms",
            default=None,
        )

    def metric(self, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
        """One of these metrics, over five minutes."""
        return cloudwatch.Metric(
            namespace=self._namespace,
            metric_name=name,
            statistic=statistic,
            period=Duration.minutes(5),
        )

    def bad_ratio(self) -> cloudwatch.MathExpression:
        """Share of documents that were asked for and not had, over five minutes."""
        return cloudwatch.MathExpression(
            # Fewer than five are no reason to wake somebody, as in the rules of Prometheus.
            expression="IF(bad >= 5, bad / (bad + good), 0)",
            using_metrics={"good": self.metric(GOOD_METRIC), "bad": self.metric(BAD_METRIC)},
            label="not delivered",
            period=Duration.minutes(5),
        )

    def _filter(self, name: str, pattern: str, *, value: str, default: float | None) -> None:
        logs.MetricFilter(
            self,
            name,
            log_group=self._pods,
            filter_pattern=logs.FilterPattern.literal(pattern),
            metric_namespace=self._namespace,
            metric_name=name,
            metric_value=value,
            default_value=default,
        )
