"""Prometheus workspaces and their rules for moto's CloudFormation, as with EKS."""

from typing import Any

from moto.amp.models import Workspace, amp_backends
from moto.core.common_models import CloudFormationModel

Json = dict[str, Any]


class CloudFormationWorkspace(CloudFormationModel):
    """``AWS::APS::Workspace``."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @property
    def physical_resource_id(self) -> str:
        """What ``Ref`` yields."""
        return str(self._workspace.arn)

    @staticmethod
    def cloudformation_name_type() -> str:
        """Workspaces have an alias, but no name."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """Type in templates."""
        return "AWS::APS::Workspace"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        """Whether ``Fn::GetAtt`` may ask for it."""
        return attr in {"Arn", "PrometheusEndpoint"}

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """Answer ``Fn::GetAtt``."""
        return str(
            {"Arn": self._workspace.arn, "PrometheusEndpoint": self._workspace.endpoint}[
                attribute_name
            ]
        )

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,  # noqa: ARG003  moto passes it
        cloudformation_json: Json,
        account_id: str,
        region_name: str,
        **_kwargs: Any,
    ) -> "CloudFormationWorkspace":
        """Create the workspace in moto's Prometheus service."""
        properties = cloudformation_json["Properties"]
        tags = {tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])}
        backend = amp_backends[account_id][region_name]
        return cls(backend.create_workspace(alias=properties["Alias"], tags=tags))


class CloudFormationRules(CloudFormationModel):
    """``AWS::APS::RuleGroupsNamespace``."""

    def __init__(self, arn: str) -> None:
        self.physical_resource_id = arn

    @staticmethod
    def cloudformation_name_type() -> str:
        """Property with the name."""
        return "Name"

    @staticmethod
    def cloudformation_type() -> str:
        """Type in templates."""
        return "AWS::APS::RuleGroupsNamespace"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Json,
        account_id: str,
        region_name: str,
        **_kwargs: Any,
    ) -> "CloudFormationRules":
        """Put the rules into the workspace."""
        properties = cloudformation_json["Properties"]
        namespace = amp_backends[account_id][region_name].create_rule_groups_namespace(
            data=properties["Data"],
            name=resource_name,
            tags={tag["Key"]: tag["Value"] for tag in properties.get("Tags", [])},
            workspace_id=properties["Workspace"].rpartition("/")[2],
        )
        return cls(namespace.arn)
