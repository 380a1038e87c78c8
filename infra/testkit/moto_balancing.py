"""What moto's target groups do not answer to CloudFormation, as with EKS."""

from moto.elbv2.models import FakeTargetGroup


def _get(group: FakeTargetGroup, attribute_name: str) -> str:
    """Answer ``Fn::GetAtt``: the full name is the last part of the ARN."""
    if attribute_name != "TargetGroupFullName":
        raise NotImplementedError(attribute_name)
    return str(group.arn).rpartition(":")[2]


FakeTargetGroup.get_cfn_attribute = _get  # type: ignore[attr-defined]  # it has none
