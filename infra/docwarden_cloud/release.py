"""From stack outputs to a release: Helm values, and the binding of pods to the load balancer.

``python -m docwarden_cloud.release values staging --digest sha256:... --upstream-url https://...``
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
import yaml

from docwarden_cloud.environments import SERVICE
from docwarden_cloud.outputs import Outputs, fetch_outputs, read_outputs

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SERVICE_PORT = 80  # the chart's service.port

STORE_SECRET = f"{SERVICE}-store"
"""Kubernetes secret with the store's URL; bootstrap-aws.md makes it."""

STALE_IF_ERROR = "1h"
"""``DOCWARDEN_STALE_IF_ERROR`` where there is a store: its copies are for nothing else."""


def helm_values(outputs: Outputs, *, digest: str, upstream_url: str) -> dict[str, Any]:
    """Values of the chart for one environment.

    Args:
        outputs: What the environment's stacks say.
        digest: The image's, as the push printed it; a tag could not say what was tested.
        upstream_url: ``DOCWARDEN_UPSTREAM_URL``.

    Raises:
        ValueError: The digest is none.
        KeyError: A stack is not deployed, so an output is missing.
    """
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{digest!r} is no digest; it reads sha256: and 64 hex digits")
    values: dict[str, Any] = {
        "image": {"repository": outputs["RepositoryUri"], "digest": digest},
        "upstream": {"url": upstream_url},
        "networkPolicy": {
            "clients": _blocks(outputs["EdgeCidrs"]),
            "monitoring": _blocks(outputs["CollectorCidrs"]),
        },
    }
    if "StoreCidrs" in outputs:
        values["store"] = {"existingSecret": STORE_SECRET}
        values["env"] = {"DOCWARDEN_STALE_IF_ERROR": STALE_IF_ERROR}
        values["networkPolicy"]["store"] = {
            "peers": _blocks(outputs["StoreCidrs"]),
            "port": int(outputs["StorePort"]),
        }
    return values


def target_group_binding(outputs: Outputs) -> dict[str, Any]:
    """The object that makes Auto Mode register the service's pods with the load balancer."""
    return {
        "apiVersion": "eks.amazonaws.com/v1",
        "kind": "TargetGroupBinding",
        "metadata": {"name": SERVICE, "namespace": SERVICE},
        "spec": {
            "serviceRef": {"name": SERVICE, "port": _SERVICE_PORT},
            "targetGroupARN": outputs["TargetGroupArn"],
            "targetType": "ip",
        },
    }


def _blocks(cidrs: str) -> list[dict[str, Any]]:
    return [{"ipBlock": {"cidr": cidr}} for cidr in cidrs.split(",")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print YAML. Exit status 2 when something needed is missing."""
    parser = argparse.ArgumentParser(prog="docwarden_cloud.release", description=__doc__)
    parser.add_argument("what", choices=["values", "binding"])
    parser.add_argument("environment", help="such as staging")
    parser.add_argument("--outputs", type=Path, help="file of `cdk deploy --outputs-file`")
    parser.add_argument("--region", help="where the stacks are, when CloudFormation is asked")
    parser.add_argument("--digest", default="", help="sha256:... of the image")
    parser.add_argument("--upstream-url", default="", help="DOCWARDEN_UPSTREAM_URL")
    given = parser.parse_args(arguments)
    prefix = f"{SERVICE}-{given.environment}"
    try:
        outputs = (
            read_outputs(given.outputs, prefix)
            if given.outputs
            else fetch_outputs(boto3.client("cloudformation", region_name=given.region), prefix)
        )
        made = (
            helm_values(outputs, digest=given.digest, upstream_url=given.upstream_url)
            if given.what == "values"
            else target_group_binding(outputs)
        )
    except KeyError as missing:
        parser.exit(2, f"no stack of {prefix} has the output {missing}; is it deployed?\n")
    except ValueError as problem:
        parser.exit(2, f"{problem}\n")
    sys.stdout.write(yaml.safe_dump(made, sort_keys=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
