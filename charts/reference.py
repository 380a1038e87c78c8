"""Keeps the chart's schema and its reference page in step with values.yaml and the settings.

Writes three files, or with `--check` only says which of them are out of date:
- `env` in charts/docwarden/values.schema.json gets the names of all settings that an installation
  may set, so that a misspelt one is refused before anything reaches the cluster;
- docs/reference/chart.md lists every value with its type, default and the comment above it;
- charts/docwarden/README.md does so beside the chart, for those who only have the package.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from docwarden.settings.settings import variables

REPOSITORY: Final = Path(__file__).parent.parent
VALUES: Final = REPOSITORY / "charts/docwarden/values.yaml"
SCHEMA: Final = REPOSITORY / "charts/docwarden/values.schema.json"
PAGE: Final = REPOSITORY / "docs/reference/chart.md"
README: Final = REPOSITORY / "charts/docwarden/README.md"

# Settings that other values decide. In `env` they could contradict these.
DECIDED_ELSEWHERE: Final = frozenset(
    {
        "DOCWARDEN_LISTEN",
        "DOCWARDEN_ADMIN_LISTEN",
        "DOCWARDEN_UPSTREAM_URL",
        "DOCWARDEN_STORE_URL",
        "DOCWARDEN_DRAIN_DELAY",
        "DOCWARDEN_DRAIN_TIMEOUT",
    }
)

HEAD: Final = """\
# The chart's values

<!-- Generated from charts/docwarden/values.yaml and values.schema.json by `make chart-files`. -->

Every value of `charts/docwarden` with its default. Unknown keys and values of another type are
refused. [Deploy to Kubernetes](../how-to/deploy-to-kubernetes.md) shows how to use them.

"""

README_HEAD: Final = """\
# docwarden

<!-- Generated from values.yaml and values.schema.json by `make chart-files`. -->

A fail-safe document gateway: `GET /<id>` fetches a document from an upstream that cannot be
trusted, verifies that it is intact, and delivers it with the media type of its bytes. This chart
installs it on Kubernetes 1.30 or newer, with Helm 4.

```console
$ helm upgrade --install docwarden oci://ghcr.io/docwarden/charts/docwarden \\
    --namespace docwarden --create-namespace --set simulator.enabled=true --wait
$ helm test docwarden --namespace docwarden --logs
```

This installs it with the simulator, a faulty upstream from the same image. For a real upstream,
set `upstream.url` instead, `image.digest`, and `networkPolicy.clients` to those who may fetch.
[Deploy to Kubernetes](https://github.com/docwarden/docwarden/blob/main/docs/how-to/deploy-to-kubernetes.md)
describes an installation step by step.

## Values

Unknown keys and values of another type are refused.

"""

COLUMNS: Final = """\
| value | type | default | meaning |
| --- | --- | --- | --- |
"""


class Value(NamedTuple):
    """One value of the chart: where it stands, and the comment above it."""

    path: tuple[str, ...]
    default: Any
    comment: str


def with_settings(schema: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return `schema` with the settings in `names` as what `env` takes."""
    env = dict(schema["properties"]["env"])
    env["properties"] = {
        name: {"$ref": "#/definitions/setting"} for name in sorted(set(names) - DECIDED_ELSEWHERE)
    }
    return {**schema, "properties": {**schema["properties"], "env": env}}


def documented(text: str) -> list[Value]:
    """Return every value in `text` that has a comment, and every one that has no parts."""
    lines = text.splitlines()
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise TypeError("values.yaml is not a mapping")
    return list(_walk(root, (), lines))


def _walk(node: yaml.MappingNode, above: tuple[str, ...], lines: list[str]) -> Iterator[Value]:
    for key, content in node.value:
        path = (*above, key.value)
        comment = _comment(lines, key.start_mark.line)
        branch = isinstance(content, yaml.MappingNode) and bool(content.value)
        # Labels and peers are examples of what a reader writes, not values of their own.
        if branch and path[-1] != "labels":
            yield from _walk(content, path, lines)
        else:
            default = yaml.safe_load(yaml.serialize(content))
            yield Value(path=path, default=default, comment=comment)


def _comment(lines: list[str], line: int) -> str:
    start = line
    while start > 0 and lines[start - 1].lstrip().startswith("#"):
        start -= 1
    return " ".join(each.strip().removeprefix("#").strip() for each in lines[start:line])


def _type(schema: Mapping[str, Any], path: tuple[str, ...]) -> str:
    node: Mapping[str, Any] = schema
    for part in path:
        node = _resolved(schema, node["properties"][part])
    if "enum" in node:
        return " or ".join(f"`{each}`" if each else "empty" for each in node["enum"])
    kind = node["type"]
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = node.get("$ref")
    if reference is None:
        return node
    found: Mapping[str, Any] = schema["definitions"][reference.rpartition("/")[2]]
    return found


def table(values: Iterable[Value], schema: Mapping[str, Any]) -> str:
    """Return the values as a table in Markdown."""
    rows = (
        f"| `{'.'.join(each.path)}` | {_type(schema, each.path)} "
        f"| `{json.dumps(each.default)}` | {each.comment.replace('|', '&#124;')} |\n"
        for each in values
    )
    return COLUMNS + "".join(rows)


def main(arguments: list[str]) -> int:
    """Write what is out of date, or with `--check` name it and return 1."""
    schema = with_settings(json.loads(SCHEMA.read_text()), variables())
    rows = table(documented(VALUES.read_text()), schema)
    wanted = {
        SCHEMA: json.dumps(schema, indent=2) + "\n",
        PAGE: HEAD + rows,
        README: README_HEAD + rows,
    }
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        if "--check" in arguments:
            print(
                f"{path.relative_to(REPOSITORY)} is out of date: make chart-files", file=sys.stderr
            )
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path])
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
