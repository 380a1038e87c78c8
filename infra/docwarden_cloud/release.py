"""From stack outputs to a release: Helm values, and what else the cluster has to be told.

``python -m docwarden_cloud.release values staging --digest sha256:... --upstream-url https://...``
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import boto3
import yaml

from docwarden_cloud import document_service
from docwarden_cloud.environments import SERVICE
from docwarden_cloud.outputs import Outputs, fetch_outputs, read_outputs
from docwarden_cloud.values import named

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SERVICE_PORT = 80  # the chart's service.port

STORE_SECRET = f"{SERVICE}-store"
"""Kubernetes secret with the store's URL; `make infra-up` makes it."""

STALE_IF_ERROR = "1h"
"""``DOCWARDEN_STALE_IF_ERROR`` where there is a store: its copies are for nothing else."""

LINKS = ("Url", "DashboardUrl", "LogsUrl", "AlarmsUrl", "GrafanaUrl")
"""Outputs that people open."""

DocumentSource = Literal["url", "simulator", "own"]
"""Where documents come from: an address, the chart's simulator, or a service of our own."""


def source_of(upstream_url: str, *, stand_in: bool) -> DocumentSource:
    """Decide where documents come from.

    Args:
        upstream_url: ``DOCWARDEN_UPSTREAM_URL``, ``own``, or nothing.
        stand_in: Whether the environment lets the simulator stand in where nothing is said.

    Raises:
        ValueError: Nothing is said, or something that is no URL.
    """
    if upstream_url == "own":
        return "own"
    if re.fullmatch(r"https?://[^\s/]+\S*", upstream_url):
        return "url"
    if upstream_url:
        raise ValueError(
            f"UPSTREAM_URL is {upstream_url!r}; it reads http://host/{{id}} or https://host/{{id}}"
        )
    if not stand_in:
        raise ValueError("UPSTREAM_URL is empty: say where documents come from")
    return "simulator"


def helm_values(
    outputs: Outputs, *, digest: str, upstream_url: str, stand_in: bool
) -> dict[str, Any]:
    """Values of the chart for one environment.

    Args:
        outputs: What the environment's stacks say.
        digest: The image's, as the push printed it; a tag could not say what was tested.
        upstream_url: ``DOCWARDEN_UPSTREAM_URL``, ``own``, or nothing.
        stand_in: Whether the simulator may stand in where no URL is given.

    Raises:
        ValueError: The digest is none, or documents would come from nowhere.
        KeyError: A stack is not deployed, so an output is missing.
    """
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{digest!r} is no digest; it reads sha256: and 64 hex digits")
    values: dict[str, Any] = {
        "image": {"repository": outputs["RepositoryUri"], "digest": digest},
        "networkPolicy": {
            "clients": _blocks(outputs["EdgeCidrs"]),
            "monitoring": _blocks(outputs["CollectorCidrs"]),
        },
        # The load balancer appends its client's address to X-Forwarded-For:
        # https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html
        "env": {"DOCWARDEN_TRUSTED_PROXIES": outputs["EdgeCidrs"]},
    }
    match source_of(upstream_url, stand_in=stand_in):
        case "simulator":
            values["simulator"] = {"enabled": True}
        case "url":
            values["upstream"] = {"url": upstream_url}
        case "own":
            own = document_service.helm_values()
            values["upstream"] = own["upstream"]
            values["networkPolicy"]["upstream"] = {"peers": own["peers"], "port": own["port"]}
    if "StoreCidrs" in outputs:
        values["store"] = {"existingSecret": STORE_SECRET}
        values["env"]["DOCWARDEN_STALE_IF_ERROR"] = STALE_IF_ERROR
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


def links(outputs: Outputs) -> str:
    """Markdown that names what people open: the service, dashboards, logs, alarms."""
    return "".join(
        f"- {name.removesuffix('Url') or 'Service'}: <{outputs[name]}>\n"
        for name in LINKS
        if name in outputs
    )


def _blocks(cidrs: str) -> list[dict[str, Any]]:
    return [{"ipBlock": {"cidr": cidr}} for cidr in cidrs.split(",")]


def stands_in(environment: str) -> bool:
    """Whether the simulator may stand in for the upstream of an environment.

    Raises:
        ValueError: There is no such environment.
    """
    return named(environment).upstream == "simulator"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print YAML, or Markdown for links. Exit status 2 when something needed is missing."""
    parser = argparse.ArgumentParser(prog="docwarden_cloud.release", description=__doc__)
    parser.add_argument("what", choices=["values", "binding", "links", "upstream"])
    parser.add_argument("environment", help="such as staging")
    parser.add_argument("--outputs", type=Path, help="file of `cdk deploy --outputs-file`")
    parser.add_argument("--region", help="where the stacks are, when CloudFormation is asked")
    parser.add_argument("--digest", default="", help="sha256:... of the image")
    parser.add_argument("--upstream-url", default="", help="DOCWARDEN_UPSTREAM_URL, or `own`")
    parser.add_argument("--upstream-image", default="", help="document service by digest")
    given = parser.parse_args(arguments)
    try:
        text = _made(given)
    except KeyError as missing:
        parser.exit(
            2, f"no stack of {SERVICE}-{given.environment} has the output {missing}; deployed?\n"
        )
    except ValueError as problem:
        parser.exit(2, f"{problem}\n")
    sys.stdout.write(text)
    return 0


def _made(given: argparse.Namespace) -> str:
    if given.what == "upstream":
        return yaml.safe_dump_all(document_service.manifests(given.upstream_image), sort_keys=False)
    stand_in = stands_in(given.environment)
    if given.what == "values":
        source_of(given.upstream_url, stand_in=stand_in)  # before anybody is asked anything
    prefix = f"{SERVICE}-{given.environment}"
    outputs = (
        read_outputs(given.outputs, prefix)
        if given.outputs
        else fetch_outputs(boto3.client("cloudformation", region_name=given.region), prefix)
    )
    match given.what:
        case "links":
            return links(outputs)
        case "binding":
            return yaml.safe_dump(target_group_binding(outputs), sort_keys=False)
        case _:
            values = helm_values(
                outputs,
                digest=given.digest,
                upstream_url=given.upstream_url,
                stand_in=stand_in,
            )
            return yaml.safe_dump(values, sort_keys=False)


if __name__ == "__main__":
    sys.exit(main())
