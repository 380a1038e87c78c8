"""What the stacks of an environment say about themselves."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

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
    """Ask CloudFormation.

    Raises:
        ValueError: The account has no stack of that environment.
    """
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    stacks = [
        stack
        for page in pages
        for stack in page["Stacks"]
        if stack["StackName"].startswith(f"{prefix}-")
    ]
    if not stacks:
        raise ValueError(f"this account and region have no stack {prefix}-*")
    return _without_exports(
        {
            output["OutputKey"]: output["OutputValue"]
            for stack in stacks
            for output in stack.get("Outputs", [])
        }
    )


def _without_exports(outputs: Outputs) -> Outputs:
    """Drop what CDK exports from stack to stack under names of its own."""
    return {name: value for name, value in outputs.items() if not name.startswith("ExportsOutput")}
