"""Findings of the checkers that are accepted, each with its reason.

A reason lies beside the construct that it speaks of: cdk-nag reads it as an acknowledgement,
checkov as metadata of the resource. There is no list of global exceptions.
"""

from collections.abc import Mapping

from aws_cdk import Acknowledgment, CfnResource, Validations
from constructs import IConstruct


def accept(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Accept findings on a construct and on everything below it.

    Args:
        construct: What the findings speak of.
        reasons: Rule, such as ``AwsSolutions-EKS1`` or ``CKV_AWS_131``, to the reason why the
            finding is right and nothing needs to change.

    Raises:
        ValueError: A reason is missing or too short to be one.
    """
    for rule, reason in reasons.items():
        if len(reason) < 20:
            raise ValueError(f"{rule} on {construct.node.path} needs a reason")
        if rule.startswith("CKV"):
            _skip_in_checkov(construct, rule, reason)
        else:
            Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def _skip_in_checkov(construct: IConstruct, rule: str, reason: str) -> None:
    for child in construct.node.find_all():
        if isinstance(child, CfnResource):
            skips = list((child.get_metadata("checkov") or {}).get("skip", []))
            child.add_metadata("checkov", {"skip": [*skips, {"id": rule, "comment": reason}]})
