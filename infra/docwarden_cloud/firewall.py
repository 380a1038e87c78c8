"""The web application firewall before the load balancer."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_wafv2 as waf
from constructs import Construct

from docwarden_cloud.environments import Environment
from docwarden_cloud.log_groups import log_group

_MANAGED_GROUPS = (
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
)


class Firewall(Construct):
    """WAF with a rate limit per client address and AWS' managed rule groups."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: Environment,
        requests_per_client: int,
        load_balancer_arn: str,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id)
        self.acl = waf.CfnWebACL(
            self,
            "Acl",
            name=environment.prefix,
            scope="REGIONAL",
            default_action=waf.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=_visible(environment.prefix),
            rules=[
                _rate_limit(requests_per_client),
                *(_managed(group, priority) for priority, group in enumerate(_MANAGED_GROUPS, 1)),
            ],
        )
        waf.CfnWebACLAssociation(
            self,
            "Association",
            resource_arn=load_balancer_arn,
            web_acl_arn=self.acl.attr_arn,
        )
        name = f"aws-waf-logs-{environment.prefix}"  # WAF insists on the prefix
        logs = log_group(self, "Logs", name=name, environment=environment, key=log_key)
        # The group's own ARN ends in `:*`, which WAF does not take.
        destination = Stack.of(self).format_arn(
            service="logs",
            resource="log-group",
            resource_name=logs.log_group_name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        waf.CfnLoggingConfiguration(
            self,
            "Logging",
            resource_arn=self.acl.attr_arn,
            log_destination_configs=[destination],
        )


def _visible(metric: str) -> waf.CfnWebACL.VisibilityConfigProperty:
    return waf.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, sampled_requests_enabled=True, metric_name=metric
    )


def _rate_limit(requests_per_client: int) -> waf.CfnWebACL.RuleProperty:
    """First, as it is the cheapest. The window is five minutes."""
    return waf.CfnWebACL.RuleProperty(
        name="RateLimit",
        priority=0,
        action=waf.CfnWebACL.RuleActionProperty(block={}),
        statement=waf.CfnWebACL.StatementProperty(
            rate_based_statement=waf.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP",
                limit=requests_per_client,
                evaluation_window_sec=300,
            )
        ),
        visibility_config=_visible("RateLimit"),
    )


def _managed(group: str, priority: int) -> waf.CfnWebACL.RuleProperty:
    return waf.CfnWebACL.RuleProperty(
        name=group,
        priority=priority,
        override_action=waf.CfnWebACL.OverrideActionProperty(none={}),
        statement=waf.CfnWebACL.StatementProperty(
            managed_rule_group_statement=waf.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS", name=group
            )
        ),
        visibility_config=_visible(group),
    )
