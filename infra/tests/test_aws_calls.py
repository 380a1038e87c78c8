"""Every ``aws`` command of scripts, how-tos and runbooks, held against botocore's service models.

The command line makes its commands from these models: an operation is a word with hyphens, each
member of its input an option.
"""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import botocore.session
import pytest
from botocore import xform_name

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("docs", "image", "infra", ".github/workflows", "charts", "monitoring")
SUFFIXES = {".md", ".sh", ".mk", ".yml", ".yaml", ".py"}
NOT_OURS = re.compile(r"/tests/|/templates/")

# Commands that the command line has beside the models, with their options:
# https://docs.aws.amazon.com/cli/latest/reference/
OWN_COMMANDS = {
    ("sso", "login"): set(),
    ("eks", "update-kubeconfig"): {"--name", "--role-arn"},
    ("ecr", "get-login-password"): set(),
}
GLOBAL = {"--output", "--query", "--region", "--profile"}


class Call(NamedTuple):
    where: str
    words: tuple[str, ...]


def calls_in(text: str, where: str) -> Iterator[Call]:
    joined = text.replace("\\\n", " ")
    for found in re.finditer(r"(?:^|[\s(`|])aws ([a-z0-9-]+ [a-z0-9-]+[^`|)\n]*)", joined):
        yield Call(where, tuple(_words(found[1])))
    for listed in re.finditer(
        r'\["aws", ((?:"[^"]*"|[a-z_]+)(?:, (?:"[^"]*"|[a-z_]+))*)\]', joined
    ):
        yield Call(where, tuple(re.findall(r'"([^"]*)"', listed[1])))


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:  # a quotation that ends beyond what was cut out
        return command.split()


def all_calls() -> list[Call]:
    kept = subprocess.run(
        ["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [
        call
        for name in kept.stdout.splitlines()
        if Path(name).suffix in SUFFIXES and not NOT_OURS.search(f"/{name}")
        for call in calls_in((ROOT / name).read_text(encoding="utf-8"), name)
    ]


def problem_of(call: Call) -> str | None:
    service, command, *rest = call.words
    options = {word.partition("=")[0] for word in rest if re.match(r"--[a-z]", word)}
    if (service, command) in OWN_COMMANDS:
        unknown = options - GLOBAL - OWN_COMMANDS[service, command]
        return f"has no {sorted(unknown)}" if unknown else None
    session = botocore.session.get_session()
    if service not in session.get_available_services():
        return f"there is no service {service}"
    model = session.get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if command not in operations:
        return f"{service} has no {command}"
    shape = model.operation_model(operations[command]).input_shape
    members = (
        {xform_name(name, "-"): shape.members[name] for name in shape.members} if shape else {}
    )
    known = {f"--{name}" for name in members} | {
        f"--no-{name}" for name, member in members.items() if member.type_name == "boolean"
    }
    unknown = options - GLOBAL - known
    if unknown:
        return f"{service} {command} has no {sorted(unknown)}"
    required = {f"--{xform_name(name, '-')}" for name in (shape.required_members if shape else [])}
    missing = required - options
    negated = {option for option in missing if option.replace("--", "--no-", 1) in options}
    return f"lacks {sorted(missing - negated)}" if missing - negated else None


CALLS = all_calls()


def test_calls_are_found_where_people_read_them():
    assert {"docs/how-to/recover-from-disaster.md", "docs/how-to/tear-down-aws.md"} <= {
        call.where for call in CALLS
    }
    assert ("eks", "update-kubeconfig") in {call.words[:2] for call in CALLS}


@pytest.mark.parametrize(
    "call", CALLS, ids=lambda call: f"{call.where}: {' '.join(call.words[:2])}"
)
def test_the_command_line_knows_the_call_and_its_options(call: Call):
    assert problem_of(call) is None, f"{call.where}: aws {' '.join(call.words)}"


@pytest.mark.parametrize(
    "command",
    [
        "elasticash describe-cache-clusters",
        "eks describe-clusters --name docwarden",
        "eks describe-cluster --cluster docwarden",
        "eks describe-cluster",
        "eks update-kubeconfig --alias-name docwarden",
    ],
)
def test_a_call_that_is_wrong_is_found(command: str):
    assert problem_of(Call("here", tuple(command.split())))
