"""Log groups that do not grow for ever."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from docwarden_cloud.environments import Environment


def log_group(
    scope: Construct, construct_id: str, *, name: str, environment: Environment, key: kms.IKey
) -> logs.LogGroup:
    """Make an encrypted log group with the environment's retention."""
    return logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        encryption_key=key,
        retention=_retention(environment.log_retention_days),
        removal_policy=RemovalPolicy.RETAIN if environment.keeps_data else RemovalPolicy.DESTROY,
    )


def _retention(days: int) -> logs.RetentionDays:
    """Map days to the enumeration; CloudWatch takes only certain numbers.

    Raises:
        ValueError: CloudWatch has no such retention.
    """
    known = {
        7: logs.RetentionDays.ONE_WEEK,
        30: logs.RetentionDays.ONE_MONTH,
        90: logs.RetentionDays.THREE_MONTHS,
        365: logs.RetentionDays.ONE_YEAR,
    }
    if days not in known:
        raise ValueError(f"log retention of {days} days; choose one of {sorted(known)}")
    return known[days]
