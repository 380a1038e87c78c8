"""The security-relevant parts of both environments as text, for people to review.

A change that is wanted is renewed with ``make infra-snapshots`` and shows up in the review as a
diff of ``infra/tests/snapshots``.
"""

import difflib
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from testkit.assembly import Assembly, Json
from testkit.policies import documents, plain, readable

SNAPSHOTS = Path(__file__).parent / "snapshots"


def security_of(assembly: Assembly) -> Json:
    return {
        "security groups": firewall_rules(assembly),
        "policies": {
            f"{document.owner} ({document.kind})": list(document.statements)
            for document in documents(assembly)
        },
        "aws managed policies": managed_policies(assembly),
        "cluster access": collect(assembly, "AWS::EKS::AccessEntry", "AccessPolicies"),
        "pod roles": collect(assembly, "AWS::EKS::Addon", "PodIdentityAssociations"),
        "kubernetes api": collect(assembly, "AWS::EKS::Cluster", "ResourcesVpcConfig"),
    }


def firewall_rules(assembly: Assembly) -> dict[str, list[str]]:
    rules: dict[str, list[str]] = {}
    for stack, logical_id, resource in assembly.resources():
        properties = plain(resource.get("Properties", {}))
        match resource["Type"]:
            case "AWS::EC2::SecurityGroup":
                rules[f"{stack.name}/{readable(logical_id)}"] = [
                    *(rule("in", each) for each in properties.get("SecurityGroupIngress", [])),
                    *(rule("out", each) for each in properties.get("SecurityGroupEgress", [])),
                ]
            case "AWS::EC2::SecurityGroupIngress":
                rules.setdefault(properties["GroupId"], []).append(rule("in", properties))
            case "AWS::EC2::SecurityGroupEgress":
                rules.setdefault(properties["GroupId"], []).append(rule("out", properties))
            case _:
                pass
    return rules


def rule(direction: str, properties: Json) -> str:
    peer = next(
        properties[key]
        for key in (
            "CidrIp",
            "CidrIpv6",
            "SourceSecurityGroupId",
            "DestinationSecurityGroupId",
        )
        if key in properties
    )
    if peer == "255.255.255.255/32":
        return f"{direction} nothing"  # CDK's way to say so: a rule that can match no packet
    ports = f"{properties.get('FromPort', '*')}-{properties.get('ToPort', '*')}"
    return f"{direction} {properties['IpProtocol']} {ports} {peer}"


def managed_policies(assembly: Assembly) -> dict[str, list[str]]:
    return {
        f"{stack.name}/{readable(logical_id)}": plain(resource["Properties"]["ManagedPolicyArns"])
        for stack, logical_id, resource in assembly.resources()
        if "ManagedPolicyArns" in resource.get("Properties", {})
    }


def collect(assembly: Assembly, resource_type: str, name: str) -> dict[str, Any]:
    return {
        f"{stack.name}/{readable(logical_id)}": plain(resource["Properties"][name])
        for stack, logical_id, resource in assembly.resources()
        if resource["Type"] == resource_type and name in resource["Properties"]
    }


def test_security_is_what_was_reviewed(assembly: Assembly):
    path = SNAPSHOTS / f"{assembly.environment}.txt"
    now = yaml.safe_dump(security_of(assembly), sort_keys=True, width=100)
    if os.environ.get("RENEW_SNAPSHOTS"):
        path.write_text(now)
    reviewed = path.read_text()
    if now != reviewed:
        difference = "".join(
            difflib.unified_diff(
                reviewed.splitlines(keepends=True),
                now.splitlines(keepends=True),
                fromfile=f"reviewed {path.name}",
                tofile="templates now",
            )
        )
        pytest.fail(
            f"{difference}\nIf this change is wanted: make infra-snapshots, and have the diff of "
            f"infra/tests/snapshots reviewed.",
            pytrace=False,
        )
