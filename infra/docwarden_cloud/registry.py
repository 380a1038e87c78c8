"""The image registry: a pushed tag never changes its meaning."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_ecr as ecr
from constructs import Construct

from docwarden_cloud.encryption import DataKey
from docwarden_cloud.environments import SERVICE, Environment

UPSTREAM = f"{SERVICE}-upstream"
"""Repository for a document service of the environment's own."""

_KEPT_RELEASES = 50
_IMAGES_OF_RELEASE = 5  # an index, and for each of two platforms an image and its attestation
_UNTAGGED_DAYS = 14  # longer than any rollback by digest


class Registry(Construct):
    """ECR repository of the service's image, and of a stand-in for its upstream."""

    def __init__(self, scope: Construct, name: str, *, environment: Environment) -> None:
        super().__init__(scope, name)
        keep = environment.keeps_data
        key = DataKey(self, "Encryption", purpose="docwarden: images in ECR", keep=keep)
        self.repository = self._made("Repository", SERVICE, key=key, keep=keep)
        self.upstream = (
            self._made("Upstream", UPSTREAM, key=key, keep=keep)
            if environment.upstream == "simulator"
            else None
        )

    def _made(self, name: str, repository_name: str, *, key: DataKey, keep: bool) -> ecr.Repository:
        return ecr.Repository(
            self,
            name,
            repository_name=repository_name,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            encryption=ecr.RepositoryEncryption.KMS,
            encryption_key=key.key,
            removal_policy=RemovalPolicy.RETAIN if keep else RemovalPolicy.DESTROY,
            empty_on_delete=not keep,
            lifecycle_rules=[
                ecr.LifecycleRule(
                    rule_priority=1,
                    description="Forget images that no tag names",
                    tag_status=ecr.TagStatus.UNTAGGED,
                    max_image_age=Duration.days(_UNTAGGED_DAYS),
                ),
                ecr.LifecycleRule(
                    rule_priority=2,
                    description=f"Keep the images of the newest {_KEPT_RELEASES} releases",
                    tag_status=ecr.TagStatus.ANY,
                    max_image_count=_KEPT_RELEASES * _IMAGES_OF_RELEASE,
                ),
            ],
        )
