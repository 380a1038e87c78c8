"""moto's server on a free port of the loopback, and deployments into it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from moto.moto_api._internal.models import moto_api_backend
from moto.server import ThreadedMotoServer

from testkit.assembly import Assembly, Json, StackTemplate
from testkit.moto_eks import register

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

# What `cdk bootstrap` leaves in an account: the parameter that every template reads its version of.
_BOOTSTRAP_PARAMETER = "/cdk-bootstrap/hnb659fds/version"
_BOOTSTRAP_VERSION = "30"

UNREADABLE = {
    "AWS::KMS::Key": {"Tags": "moto looks for TagKey, as in the API; templates say Key"},
}
"""Properties that are left out of what moto gets, by type, each with the reason."""


class Cloud:
    """An AWS that is not one."""

    def __init__(self, endpoint: str, region: str) -> None:
        self._endpoint = endpoint
        self._session = boto3.session.Session(
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106  moto wants any, checks none
            region_name=region,
        )

    def client(self, service: str) -> Any:
        """A boto3 client that talks to this cloud."""
        return self._session.client(  # type: ignore[call-overload]  # the service is not literal
            service,
            endpoint_url=self._endpoint,
            config=Config(retries={"max_attempts": 0}, proxies={}),
        )

    def deploy(self, assembly: Assembly) -> None:
        """Create every stack of an environment, in order.

        Raises:
            RuntimeError: A stack did not reach ``CREATE_COMPLETE``.
        """
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
    """Leave out the few properties that moto cannot read; the templates are asserted on them."""
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
    return {**template, "Resources": resources}


@contextmanager
def moto_cloud(region: str) -> Iterator[Cloud]:
    """Run moto's server until the block ends."""
    # moto asks for the managed policies of AWS to exist, which it only loads when told so.
    before = dict(os.environ)
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    register()
    moto_api_backend.reset()  # its state lives in this process and outlives a server
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield Cloud(f"http://{host}:{port}", region)
    finally:
        server.stop()
        os.environ.clear()
        os.environ.update(before)
