"""What moto's target groups do not answer to CloudFormation, as with EKS."""

from moto.elbv2.models import FakeTargetGroup


def _has(_cls: type, attr: str) -> bool:
    return attr == "TargetGroupFullName"


def _get(group: FakeTargetGroup, attribute_name: str) -> str:
    """Answer ``Fn::GetAtt``: the full name is the last part of the ARN."""
    if attribute_name != "TargetGroupFullName":
        raise NotImplementedError(attribute_name)
    return str(group.arn).rpartition(":")[2]


FakeTargetGroup.has_cfn_attr = classmethod(_has)
FakeTargetGroup.get_cfn_attribute = _get
