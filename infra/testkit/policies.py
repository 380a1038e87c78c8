"""IAM's judgement, as far as these templates need it.

Evaluates the real policy documents of the templates: wildcards in actions and resources, and
the conditions that trust policies use. An operator that is not known here is an error, never a
match.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from testkit.assembly import Assembly, Json, StackTemplate

PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::AccountId": "123456789012",
    "AWS::Region": "us-east-2",
    "AWS::URLSuffix": "amazonaws.com",
}


@dataclass(frozen=True)
class Document:
    """One policy document, with where it stands."""

    owner: str
    """Readable name of the role, key, topic or bucket."""

    kind: str
    """``identity``, ``trust`` or ``resource``."""

    statements: tuple[Json, ...]


def plain(value: Any) -> Any:
    """Write intrinsics as text: pseudo parameters by value, references as ``<Name.Attribute>``."""
    match value:
        case list():
            text: Any = [plain(item) for item in value]
        case {"Ref": name, **rest} if not rest:
            text = PSEUDO.get(name, f"<{readable(name)}>")
        case {"Fn::GetAtt": [name, attribute]}:
            text = f"<{readable(name)}.{attribute}>"
        case {"Fn::ImportValue": export}:
            text = f"<{_imported(plain(export))}>"
        case {"Fn::Join": [separator, parts]}:
            text = separator.join(str(part) for part in plain(parts))
        case dict():
            text = {key: plain(item) for key, item in value.items()}
        case _:
            text = value
    return text


def readable(logical_id: str) -> str:
    """A logical id without its hash."""
    return re.sub(r"[0-9A-F]{8}$", "", logical_id)


def _imported(export: str) -> str:
    """``stack:ExportsOutputFnGetAttNameHASHAttributeHASH`` as ``Name.Attribute``."""
    name = export.partition(":ExportsOutput")[2]
    found = re.match(r"(?:FnGetAtt|Ref)(.+?)[0-9A-F]{8}(.*?)(?:[0-9A-F]{8})?$", name)
    if not found:
        return name or export
    return ".".join(part for part in found.groups() if part)


def documents(assembly: Assembly) -> Iterator[Document]:
    """Every policy document of an environment."""
    for stack, logical_id, resource in assembly.resources():
        yield from _documents_of(stack, logical_id, resource)


def _documents_of(stack: StackTemplate, logical_id: str, resource: Json) -> Iterator[Document]:
    properties = resource.get("Properties", {})
    owner = f"{stack.name}/{readable(logical_id)}"
    match resource["Type"]:
        case "AWS::IAM::Role":
            yield _document(owner, "trust", properties["AssumeRolePolicyDocument"])
            for policy in properties.get("Policies", []):
                yield _document(owner, "identity", policy["PolicyDocument"])
        case "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy":
            yield _document(owner, "identity", properties["PolicyDocument"])
        case "AWS::KMS::Key":
            yield _document(owner, "resource", properties["KeyPolicy"])
        case "AWS::S3::BucketPolicy" | "AWS::SNS::TopicPolicy":
            yield _document(owner, "resource", properties["PolicyDocument"])
        case _:
            pass


def _document(owner: str, kind: str, body: Json) -> Document:
    return Document(owner, kind, tuple(plain(body)["Statement"]))


def listed(value: Any) -> list[Any]:
    """IAM writes one of something without its list."""
    return value if isinstance(value, list) else [value]


def allows(statements: tuple[Json, ...], *, action: str, resource: str) -> bool:
    """Whether an identity with these statements may do something, its conditions being met."""
    verdicts = {
        statement["Effect"]
        for statement in statements
        if any(fnmatchcase(action, pattern) for pattern in listed(statement["Action"]))
        and any(fnmatchcase(resource, pattern) for pattern in listed(statement["Resource"]))
    }
    return verdicts == {"Allow"}


def admits(statements: tuple[Json, ...], *, claims: Mapping[str, str]) -> bool:
    """Whether a trust policy admits a web identity with these claims."""
    return any(
        statement["Effect"] == "Allow"
        and "Federated" in statement["Principal"]
        and "sts:AssumeRoleWithWebIdentity" in listed(statement["Action"])
        and _meets(statement.get("Condition", {}), claims)
        for statement in statements
    )


def _meets(conditions: Json, claims: Mapping[str, str]) -> bool:
    return all(
        any(_OPERATORS[operator](claims.get(key, ""), expected) for expected in listed(values))
        for operator, by_key in conditions.items()
        for key, values in by_key.items()
    )


_OPERATORS = {
    "StringEquals": lambda given, expected: given == expected,
    "StringLike": fnmatchcase,
}
