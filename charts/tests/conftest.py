"""What the chart's tests share: real helm, and its output as plain objects."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
CHART = REPOSITORY / "charts/docwarden"
VALUE_FILES = sorted(
    (*(REPOSITORY / "charts/tests/values").glob("*.yaml"), *CHART.glob("ci/*-values.yaml"))
)
NAMESPACE = "docwarden"

Objects = dict[tuple[str, str], dict[str, Any]]


class NoDuplicates(yaml.CSafeLoader):
    """PyYAML keeps the last of two equal keys; a cluster's API server refuses both."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.YAMLError(f"{sorted(twice)} twice at {node.start_mark}")
        return super().construct_mapping(node, deep=deep)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "values_file" in metafunc.fixturenames:
        metafunc.parametrize(
            "values_file", VALUE_FILES, ids=lambda path: path.stem.removesuffix("-values")
        )


@pytest.fixture(scope="session")
def chart() -> Path:
    return CHART


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture(scope="session")
def helm() -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [os.environ["HELM"], *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


@pytest.fixture(scope="session")
def template(helm, tmp_path_factory) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that renders the chart with value files and then `values`.

    Equal calls are answered from memory: helm renders the same text for them.
    """
    folder = tmp_path_factory.mktemp("values")
    known: dict[Any, subprocess.CompletedProcess[str]] = {}

    def run(*files: Path, values: dict[str, Any] | None = None, options: tuple[str, ...] = ()):
        text = yaml.safe_dump(values or {})
        call = (files, text, options)
        if call not in known:
            own = folder / f"{len(known)}.yaml"
            own.write_text(text)
            chosen = [f"--values={path}" for path in (*files, own)]
            known[call] = helm(
                "template", "r", CHART, f"--namespace={NAMESPACE}", *chosen, *options
            )
        return known[call]

    return run


@pytest.fixture(scope="session")
def render(template) -> Callable[..., Objects]:
    """Return a function that renders the chart to {(kind, name): object}."""

    def run(*files: Path, values: dict[str, Any] | None = None, options: tuple[str, ...] = ()):
        done = template(*files, values=values, options=options)
        assert done.returncode == 0, done.stderr
        objects: Objects = {}
        for each in yaml.load_all(done.stdout, Loader=NoDuplicates):
            if each is not None:
                key = (each["kind"], each["metadata"]["name"])
                assert key not in objects, f"{key} twice"
                objects[key] = each
        return objects

    return run


@pytest.fixture
def simulated(render) -> Callable[..., Objects]:
    """Return a function that renders the chart with the simulator and `values`."""
    return lambda **values: render(values={"simulator": {"enabled": True}, **values})
