"""Certificates and OIDC providers for moto's CloudFormation.

As with EKS, moto answers their calls but creates none from a template. Listeners and trust
policies refer to them, so without these models the stacks would not come up.
"""

from typing import Any

from moto.acm.models import acm_backends
from moto.core.common_models import CloudFormationModel
from moto.iam.models import iam_backends

Json = dict[str, Any]


class CloudFormationCertificate(CloudFormationModel):
    """``AWS::CertificateManager::Certificate``."""

    def __init__(self, arn: str) -> None:
        self.physical_resource_id = arn

    @staticmethod
    def cloudformation_name_type() -> str:
        """Certificates have no name."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """Type in templates."""
        return "AWS::CertificateManager::Certificate"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,  # noqa: ARG003  moto passes it
        cloudformation_json: Json,
        account_id: str,
        region_name: str,
        **_kwargs: Any,
    ) -> "CloudFormationCertificate":
        """Request the certificate from moto's ACM."""
        properties = cloudformation_json["Properties"]
        arn = acm_backends[account_id][region_name].request_certificate(
            domain_name=properties["DomainName"],
            idempotency_token="",
            subject_alt_names=[],
            tags=properties.get("Tags", []),
        )
        return cls(arn)


class CloudFormationOidcProvider(CloudFormationModel):
    """``AWS::IAM::OIDCProvider``."""

    def __init__(self, arn: str) -> None:
        self.physical_resource_id = arn

    @staticmethod
    def cloudformation_name_type() -> str:
        """Providers are named by their URL."""
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        """Type in templates."""
        return "AWS::IAM::OIDCProvider"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """Answer ``Fn::GetAtt``."""
        if attribute_name != "Arn":
            raise NotImplementedError(attribute_name)
        return self.physical_resource_id

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,  # noqa: ARG003  moto passes it
        cloudformation_json: Json,
        account_id: str,
        region_name: str,  # noqa: ARG003  IAM is global
        **_kwargs: Any,
    ) -> "CloudFormationOidcProvider":
        """Create the provider in moto's IAM."""
        properties = cloudformation_json["Properties"]
        provider = iam_backends[account_id]["aws"].create_open_id_connect_provider(
            url=properties["Url"],
            thumbprint_list=properties.get("ThumbprintList", []),
            client_id_list=properties["ClientIdList"],
            tags=properties.get("Tags", []),
        )
        return cls(provider.arn)
