"""The chart, installed by helm: one release that the steps change and put back."""

import os
import re
from pathlib import Path
from typing import Any

import yaml
from tests.cluster import kube

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/docwarden"
HOW_TO = ROOT / "docs/how-to/deploy-to-kubernetes.md"
NAME = "docwarden"


def merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return `first` with what `second` says, as helm merges value files."""
    result = dict(first)
    for key, value in second.items():
        known = result.get(key)
        deeper = isinstance(known, dict) and isinstance(value, dict)
        result[key] = merged(known or {}, value) if deeper else value
    return result


class Release:
    """The release under test, with the values that every step starts from."""

    def __init__(self, *, namespace: str, base: dict[str, Any], folder: Path) -> None:
        """Remember where to install; `base` are values, `folder` holds value files."""
        self.namespace = namespace
        self.base = base
        self.folder = folder
        self.current: dict[str, Any] | None = None

    def helm(self, *arguments: str, timeout: float = 400) -> str:
        """Run helm in the release's namespace and return its output."""
        command = [os.environ.get("HELM", "helm"), *arguments, f"--namespace={self.namespace}"]
        return kube.run(command, timeout=timeout)

    def values_file(self, values: dict[str, Any]) -> str:
        """Write values beside the others and return where."""
        path = self.folder / "values.yaml"
        path.write_text(yaml.safe_dump(values))
        return str(path)

    def upgrade(self, changes: dict[str, Any], *options: str) -> str:
        """Upgrade to the base values with `changes`, and wait."""
        values = merged(self.base, changes)
        said = self.helm(
            *("upgrade", "--install", NAME, str(CHART), "--values", self.values_file(values)),
            *("--wait", "--timeout=5m", "--force-conflicts"),
            *options,
        )
        self.current = values
        return said

    def be(self, changes: dict[str, Any] | None = None) -> None:
        """Upgrade unless the release has these values already, and wait for what is ending."""
        if self.current != merged(self.base, changes or {}):
            self.upgrade(changes or {})
        self.settle()

    def settle(self) -> None:
        """Wait until every pod is ready and none is being ended."""
        at = f"--namespace={self.namespace}"
        kube.kubectl("rollout", "status", f"deployment/{NAME}", at, "--timeout=120s", timeout=150)
        kube.until(
            "all pods that were replaced are gone",
            lambda: all(
                kube.is_ready(each)
                for each in kube.get("pods", at, "--selector=app.kubernetes.io/component=gateway")[
                    "items"
                ]
            ),
            within=90,
        )

    def gateways(self) -> list[dict[str, Any]]:
        """Return the gateway's pods that are not being ended."""
        return kube.pods(self.namespace, "gateway")

    def addresses(self) -> list[str]:
        """Return where the pods listen for documents."""
        return [f"{each['status']['podIP']}:8080" for each in self.gateways()]

    def control_simulator(self, change: str) -> None:
        """Change how the simulator behaves: JSON as its control endpoint takes it."""
        (pod,) = kube.pods(self.namespace, "simulator")
        code = (
            "import sys, urllib.request as u;"
            "u.urlopen(u.Request('http://127.0.0.1:3001/', sys.argv[1].encode(), method='PUT'))"
        )
        kube.python(self.namespace, kube.name(pod), code, change)

    @property
    def url(self) -> str:
        """Return the Service's address inside the cluster."""
        return f"http://{NAME}.{self.namespace}"


def commands(heading: str) -> list[str]:
    """Return the commands in a section of the how-to, as they stand there."""
    sections = re.split(r"^## ", HOW_TO.read_text(), flags=re.MULTILINE)
    (section,) = [each for each in sections if each.startswith(heading + "\n")]
    blocks = re.findall(r"^```(?:sh)?\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    return [
        line.strip()
        for block in blocks
        for line in block.replace("\\\n", " ").splitlines()
        if line.strip()
    ]
