"""Where alerts and cost warnings arrive."""

from aws_cdk import Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from docwarden_cloud.environments import Environment

_PUBLISHERS = {
    "Alarms": "cloudwatch.amazonaws.com",
    "Budget": "budgets.amazonaws.com",
    "Metrics": "aps.amazonaws.com",
}

PUBLISHERS = tuple(_PUBLISHERS.values())
"""Services that publish to the topics, and so use their key."""


class Alerts(Construct):
    """SNS topics that alarms, Prometheus' alert manager and the budget publish to."""

    def __init__(
        self, scope: Construct, name: str, *, environment: Environment, key: kms.IKey
    ) -> None:
        super().__init__(scope, name)
        self._environment = environment
        self._key = key
        self.topic = self._topic("alerts", publishers=tuple(_PUBLISHERS))
        for address in environment.alert_emails:
            self.topic.add_subscription(subscriptions.EmailSubscription(address))

    def heartbeat(self) -> sns.Topic:
        """Make the topic that never falls silent while Prometheus' alerting works.

        A dead man's switch outside AWS subscribes to it.
        """
        return self._topic("heartbeat", publishers=("Metrics",))

    def _topic(self, name: str, *, publishers: tuple[str, ...]) -> sns.Topic:
        topic = sns.Topic(
            self,
            name.capitalize(),
            topic_name=f"{self._environment.prefix}-{name}",
            master_key=self._key,
            enforce_ssl=True,
        )
        for who in publishers:
            topic.add_to_resource_policy(
                iam.PolicyStatement(
                    sid=f"{who}Publishes",
                    principals=[iam.ServicePrincipal(_PUBLISHERS[who])],
                    actions=["sns:Publish"],
                    resources=[topic.topic_arn],
                    conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
                )
            )
        return topic


class Budget(Construct):
    """Monthly budget of the account: warns at 80 % spent and at 100 % forecast."""

    def __init__(
        self, scope: Construct, name: str, *, environment: Environment, topic: sns.ITopic
    ) -> None:
        super().__init__(scope, name)
        subscriber = budgets.CfnBudget.SubscriberProperty(
            subscription_type="SNS", address=topic.topic_arn
        )
        budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_name=environment.prefix,
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(
                    amount=environment.monthly_budget_usd, unit="USD"
                ),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        notification_type=kind,
                        comparison_operator="GREATER_THAN",
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=[subscriber],
                )
                for kind, percent in (("ACTUAL", 80), ("FORECASTED", 100))
            ],
        )
