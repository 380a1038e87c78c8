"""The suite against a real cluster: `make test-cluster`.

Works in namespaces of its own, which it makes and removes. These variables say how:

KUBECONFIG              the cluster; the current context of the user's own file otherwise
CLUSTER_IMAGE           the gateway's image as the cluster pulls it, with a tag
CLUSTER_PULL_POLICY     for images that were loaded into the nodes: IfNotPresent
CLUSTER_REDIS_IMAGE     an image with redis-server
CLUSTER_REGISTRY_STOP   a command that takes the registry away
CLUSTER_REGISTRY_START  a command that brings it back
CLUSTER_RATE            requests a second of each of the two clients, 75
CLUSTER_REPORT          where the figures go as JSON, build/cluster-report.json
"""

import os
import re
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.cluster import kube
from tests.cluster.clients import Clients
from tests.cluster.release import ROOT, Release, commands
from tests.cluster.report import Report, Step

from docwarden import __version__

ORDER = (
    "test_install",
    "test_rollouts",
    "test_faults",
    "test_policies",
    "test_scaling",
    "test_limits",
    "test_integrations",
)
OURS = {"app.kubernetes.io/managed-by": "docwarden-test-cluster"}
REPORT = Report()
IN_USE: list[str] = []  # namespaces, for what is shown of a step that failed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: ORDER.index(item.path.stem))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    name = item.name.removeprefix("test_").replace("_", " ")
    REPORT.steps.append(Step(name))
    began = time.monotonic()
    result = yield
    REPORT.steps[-1].seconds = time.monotonic() - began
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report: Any = yield
    step = REPORT.steps[-1]
    if report.skipped:
        step.result = "not run"
        step.figures = [str(call.excinfo.value).removeprefix("Skipped: ")] if call.excinfo else []
    elif report.failed:
        step.result = "FAILED"
        if IN_USE:
            report.sections += [("cluster", "\n".join(kube.tails(IN_USE)))]
    return report


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not REPORT.steps:
        return
    terminalreporter.section("steps")
    for line in REPORT.lines():
        terminalreporter.write_line(line)
    path = Path(os.environ.get("CLUSTER_REPORT", ROOT / "build/cluster-report.json"))
    REPORT.write(path, {"image": os.environ.get("CLUSTER_IMAGE", "")})


@pytest.fixture(scope="session")
def figure() -> Callable[[str], None]:
    """Return a function that adds a figure to the step's line of the summary."""
    return REPORT.figure


@pytest.fixture(scope="session")
def image() -> dict[str, str]:
    """Return the gateway's image as the scripts' containers name it."""
    reference = os.environ.get("CLUSTER_IMAGE", f"ghcr.io/docwarden/docwarden:{__version__}")
    return {"image": reference, "imagePullPolicy": "IfNotPresent"}


@pytest.fixture(scope="session")
def namespaces() -> Iterator[dict[str, str]]:
    """Make a namespace for each neighbour and name one for the release; remove all at the end."""
    try:
        kube.kubectl("version")
    except kube.CommandError as error:
        pytest.exit(f"no cluster answers: set KUBECONFIG, or `make cluster`\n{error}", returncode=2)
    stem = f"docwarden-e2e-{uuid.uuid4().hex[:6]}"
    levels = dict.fromkeys(("clients", "monitoring", "strangers", "archive"), "restricted")
    levels["node"] = "privileged"
    names = {role: f"{stem}-{role}" for role in levels}
    IN_USE.extend(names.values())
    for role, level in levels.items():
        labels = {**OURS, "pod-security.kubernetes.io/enforce": level}
        metadata = {"name": names[role], "labels": labels}
        kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    yield {"release": stem, **names}
    kube.kubectl(
        *("delete", "namespace", stem, *names.values(), "--ignore-not-found", "--wait=false")
    )


@pytest.fixture(scope="session")
def clients(namespaces: dict[str, str], image: dict[str, str]) -> Clients:
    """Return the namespace whose pods may fetch documents."""
    rate = float(os.environ.get("CLUSTER_RATE", "75"))
    return Clients(namespace=namespaces["clients"], image=image, rate=rate)


@pytest.fixture(scope="session")
def release(
    namespaces: dict[str, str], image: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Release:
    """Return the release, not yet installed."""
    repository, _, tag = image["image"].rpartition(":")

    def namespace(role: str) -> list[dict[str, Any]]:
        label = {"kubernetes.io/metadata.name": namespaces[role]}
        return [{"namespaceSelector": {"matchLabels": label}}]

    base = {
        "image": {
            "repository": repository,
            "tag": tag,
            "pullPolicy": os.environ.get("CLUSTER_PULL_POLICY", ""),
        },
        "simulator": {"enabled": True},
        "networkPolicy": {
            "clients": namespace("clients"),
            "monitoring": namespace("monitoring"),
        },
    }
    folder = tmp_path_factory.mktemp("values")
    return Release(namespace=namespaces["release"], base=base, folder=folder)


@pytest.fixture(scope="session")
def installed(release: Release) -> list[str]:
    """Install as the how-to says, but for namespace and image; return what the commands said."""
    IN_USE.append(release.namespace)
    own = release.values_file({"image": release.base["image"]})
    said = []
    for line in commands("Try it with the simulator"):
        command = re.sub(r"\b(namespace[ =])docwarden\b", rf"\g<1>{release.namespace}", line)
        if command.startswith("helm upgrade"):
            command += f" --values {own}"
        programs = {
            name.lower(): os.environ.get(name, name.lower()) for name in ("HELM", "KUBECTL")
        }
        first, _, rest = command.partition(" ")
        said.append(kube.run(["bash", "-c", f"{programs.get(first, first)} {rest} 2>&1"]))
    return said


@pytest.fixture
def running(release: Release, installed: list[str]) -> Release:
    """Return the release with its base values, every pod ready and none on its way out."""
    assert installed
    release.be()
    return release
