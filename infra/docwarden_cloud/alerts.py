"""Where alerts and cost warnings arrive."""

from aws_cdk import Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from docwarden_cloud.environments import Environment

_PUBLISHERS = {"Metrics": "aps.amazonaws.com", "Budget": "budgets.amazonaws.com"}


class Alerts(Construct):
    """SNS topics that Prometheus' alert manager and the budget publish to."""

    def __init__(
        self, scope: Construct, name: str, *, environment: Environment, key: kms.IKey
    ) -> None:
        super().__init__(scope, name)
        self._environment = environment
        self._key = key
        self.topic = self._topic("alerts", publishers=("Metrics", "Budget"))
        # Never falls silent while alerting works; a dead man's switch outside AWS subscribes.
        self.heartbeat = self._topic("heartbeat", publishers=("Metrics",))
        for address in environment.alert_emails:
            self.topic.add_subscription(subscriptions.EmailSubscription(address))

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
