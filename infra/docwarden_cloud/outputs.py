"""What the stacks of an environment say about themselves."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

STACKS = (
    "network",
    "dns",
    "registry",
    "cluster",
    "observability",
    "edge",
    "delivery",
    "store",
)
"""Short names of the stacks that an environment may have."""

Outputs = dict[str, str]
"""Output name to value, over all stacks of one environment."""


def read_outputs(path: Path, prefix: str) -> Outputs:
    """Read the file that ``cdk deploy --outputs-file`` writes.

    Raises:
        ValueError: The file speaks of no stack of that environment.
    """
    stacks: dict[str, Outputs] = json.loads(path.read_text(encoding="utf-8"))
    found = [outputs for name, outputs in stacks.items() if name.startswith(f"{prefix}-")]
    if not found:
        raise ValueError(f"{path} holds no outputs of {prefix}-*")
    return _without_exports({name: value for each in found for name, value in each.items()})


def fetch_outputs(cloudformation: "CloudFormationClient", prefix: str) -> Outputs:
    """Ask CloudFormation, for each stack by its name: roles may not list those of others.

    Raises:
        ClientError: CloudFormation refused to answer.
        ValueError: The account has no stack of that environment.
    """
    asked = [_outputs_of(cloudformation, f"{prefix}-{stack}") for stack in STACKS]
    found = [outputs for outputs in asked if outputs is not None]
    if not found:
        raise ValueError(f"this account and region have no stack {prefix}-*")
    return _without_exports({name: value for each in found for name, value in each.items()})


def _outputs_of(cloudformation: "CloudFormationClient", stack_name: str) -> Outputs | None:
    """Outputs of one stack, ``None`` where there is no such stack."""
    try:
        (stack,) = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
    except ClientError as refusal:
        error = refusal.response["Error"]
        if error["Code"] == "ValidationError" and error["Message"].endswith("does not exist"):
            return None
        raise
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def _without_exports(outputs: Outputs) -> Outputs:
    """Drop what CDK exports from stack to stack under names of its own."""
    return {name: value for name, value in outputs.items() if not name.startswith("ExportsOutput")}
