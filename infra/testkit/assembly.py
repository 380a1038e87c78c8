"""Synthesised environments, as plain templates."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class StackTemplate:
    """One synthesised stack."""

    environment: str
    name: str
    """Name within its environment, such as ``network``."""

    stack_name: str
    path: Path
    body: Json
    dependencies: tuple[str, ...]
    """Artifact names of the stacks that have to be deployed before."""

    artifact: str
    terminates: bool
    """Whether CloudFormation may delete the stack."""

    def resources(self, resource_type: str) -> dict[str, Json]:
        """Resources of a type, by logical id; the ids are for messages only."""
        return {
            logical_id: resource
            for logical_id, resource in self.body["Resources"].items()
            if resource["Type"] == resource_type
        }

    def only(self, resource_type: str) -> Json:
        """Properties of the single resource of a type.

        Raises:
            LookupError: There is none, or more than one.
        """
        found = list(self.resources(resource_type).values())
        if len(found) != 1:
            raise LookupError(f"{self.stack_name} has {len(found)} of {resource_type}, not one")
        properties: Json = found[0]["Properties"]
        return properties


@dataclass(frozen=True)
class Assembly:
    """All stacks of one environment, in the order in which they are deployed."""

    environment: str
    directory: Path
    stacks: tuple[StackTemplate, ...]

    def __getitem__(self, name: str) -> StackTemplate:
        """The stack of that short name."""
        return next(stack for stack in self.stacks if stack.name == name)

    def resources(self) -> Iterator[tuple[StackTemplate, str, Json]]:
        """Every resource with its stack and its logical id."""
        for stack in self.stacks:
            for logical_id, resource in stack.body["Resources"].items():
                yield stack, logical_id, resource


def read_assembly(root: Path, environment: str) -> Assembly:
    """Read what CDK wrote for an environment."""
    directory = root / f"assembly-docwarden-{environment}"
    manifest = json.loads((directory / "manifest.json").read_text())
    stacks = [
        _read_stack(directory, environment, artifact, entry)
        for artifact, entry in manifest["artifacts"].items()
        if entry["type"] == "aws:cloudformation:stack"
    ]
    return Assembly(environment, directory, tuple(_in_order(stacks)))


def _read_stack(directory: Path, environment: str, artifact: str, entry: Json) -> StackTemplate:
    properties = entry["properties"]
    stack_name = properties["stackName"]
    path = directory / properties["templateFile"]
    return StackTemplate(
        environment=environment,
        name=stack_name.removeprefix(f"docwarden-{environment}-"),
        stack_name=stack_name,
        path=path,
        body=json.loads(path.read_text()),
        dependencies=tuple(entry.get("dependencies", [])),
        artifact=artifact,
        terminates=not properties.get("terminationProtection", False),
    )


def _in_order(stacks: list[StackTemplate]) -> Iterator[StackTemplate]:
    """Yield each stack after those that it depends on; equal ones by name."""
    artifacts = {stack.artifact for stack in stacks}
    waiting = sorted(stacks, key=lambda stack: stack.name)
    done: set[str] = set()
    while waiting:
        ready = next(
            stack for stack in waiting if artifacts.intersection(stack.dependencies) <= done
        )
        waiting.remove(ready)
        done.add(ready.artifact)
        yield ready
