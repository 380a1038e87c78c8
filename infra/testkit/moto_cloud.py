"""moto's server on a free port of the loopback, and deployments into it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from moto.cloudformation.parsing import get_model_list, get_model_map, get_name_type_map
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from testkit import (  # noqa: F401  being imported makes moto know them
    moto_balancing,
    moto_eks,
    moto_identity,
    moto_metrics,
)
from testkit.assembly import Assembly, Json, StackTemplate

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

# What `cdk bootstrap` leaves in an account: the parameter that every template reads its version of.
_BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
_BOOTSTRAP_VERSION = "30"

_MANAGED_POLICIES = "MOTO_IAM_LOAD_MANAGED_POLICIES"

BEYOND_MOTO = {
    "AWS::APS::Scraper": "moto has no collectors",
    "AWS::CloudWatch::Alarm": "moto's CloudFormation makes no alarms",
    "AWS::Logs::MetricFilter": "moto's CloudFormation makes no metric filters",
    "AWS::Logs::QueryDefinition": "moto's CloudFormation makes no saved queries",
    "AWS::Budgets::Budget": "moto's CloudFormation makes no budgets",
    "AWS::CodeBuild::Project": "moto's CloudFormation makes no CodeBuild projects",
    "AWS::EC2::SecurityGroupEgress": "moto's CloudFormation makes such rules for ingress only",
    "AWS::EKS::AccessEntry": "moto's EKS has no access entries",
    "AWS::EKS::Addon": "moto's EKS has no add-ons",
    "AWS::ElastiCache::ReplicationGroup": "moto's CloudFormation makes no ElastiCache",
    "AWS::ElastiCache::SubnetGroup": "moto's CloudFormation makes no ElastiCache",
    "AWS::Grafana::Workspace": "moto has no Grafana",
    "AWS::S3::BucketPolicy": "moto's CloudFormation makes no bucket policies",
    "AWS::SNS::Subscription": "moto's CloudFormation makes no subscriptions",
    "AWS::SNS::TopicPolicy": "moto's CloudFormation makes no topic policies",
    "AWS::SecretsManager::Secret": "moto's CloudFormation makes no secrets",
    "AWS::WAFv2::LoggingConfiguration": "moto's CloudFormation makes no WAF",
    "AWS::WAFv2::WebACL": "moto's CloudFormation makes no WAF",
    "AWS::WAFv2::WebACLAssociation": "moto's CloudFormation makes no WAF",
}
"""Types that moto's CloudFormation cannot create, each with the reason.

Outputs that speak of them are left out of what moto gets, as it would fail on them.
"""

UNREADABLE = {
    "AWS::KMS::Key": {"Tags": "moto looks for TagKey, as in the API; templates say Key"},
}
"""Properties that are left out of what moto gets, by type, each with the reason."""


class Cloud:
    """An AWS that is not one."""

    def __init__(self, endpoint: str, region: str) -> None:
        self.endpoint = endpoint
        self._session = boto3.session.Session(
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106  moto wants any, checks none
            region_name=region,
        )

    def forget(self, *, managed_policies: bool = False) -> None:
        """Empty it.

        Args:
            managed_policies: Whether it shall hold the policies that AWS has in every account,
                which roles refer to; loading them takes seconds.
        """
        os.environ[_MANAGED_POLICIES] = "true" if managed_policies else "false"
        moto_api_backend.reset()

    def client(self, service: str) -> Any:
        """A boto3 client that talks to this cloud."""
        return self._session.client(  # type: ignore[call-overload]  # the service is not literal
            service,
            endpoint_url=self.endpoint,
            config=Config(retries={"max_attempts": 0}, proxies={}),
        )

    def deploy(self, assembly: Assembly) -> None:
        """Create every stack of an environment, in order, in an account that is empty.

        Raises:
            RuntimeError: A stack did not reach ``CREATE_COMPLETE``.
        """
        self.forget(managed_policies=True)
        self.client("ssm").put_parameter(
            Name=_BOOTSTRAP_PARAMETER, Value=_BOOTSTRAP_VERSION, Type="String"
        )
        cloudformation: CloudFormationClient = self.client("cloudformation")
        for stack in assembly.stacks:
            _create(cloudformation, stack)


def _create(cloudformation: "CloudFormationClient", stack: StackTemplate) -> None:
    cloudformation.create_stack(
        StackName=stack.stack_name,
        TemplateBody=json.dumps(_readable_for_moto(stack.body)),
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )
    (made,) = cloudformation.describe_stacks(StackName=stack.stack_name)["Stacks"]
    if made["StackStatus"] != "CREATE_COMPLETE":
        raise RuntimeError(f"{stack.stack_name}: {made['StackStatus']}")


def _readable_for_moto(template: Json) -> Json:
    """Leave out what moto stumbles over; the templates are asserted on it."""
    beyond = [
        f'"{logical_id}"'
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] in BEYOND_MOTO
    ]
    outputs = {
        name: output
        for name, output in template.get("Outputs", {}).items()
        if not any(reference in json.dumps(output) for reference in beyond)
    }
    resources = {
        logical_id: {
            **resource,
            "Properties": {
                name: value
                for name, value in resource.get("Properties", {}).items()
                if name not in UNREADABLE.get(resource["Type"], {})
            },
        }
        for logical_id, resource in template["Resources"].items()
    }
    return {**template, "Resources": resources, "Outputs": outputs}


@contextmanager
def moto_cloud(region: str) -> Iterator[Cloud]:
    """Run moto's server until the block ends."""
    before = dict(os.environ)
    for cached in (get_model_list, get_model_map, get_name_type_map):
        cached.cache_clear()  # moto may have looked before the models of testkit existed
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        cloud = Cloud(f"http://{host}:{port}", region)
        cloud.forget()  # moto's state lives in this process and outlives a server
        yield cloud
    finally:
        server.stop()
        os.environ.clear()
        os.environ.update(before)
