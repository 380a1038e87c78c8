"""Layers stand on those below them, never on one above, imports for types alone included."""

import ast
import graphlib
from pathlib import Path

import docwarden

ROOT = Path(docwarden.__file__).parent
LAYERS = (
    "cli", "process", "admin", "explaining", "composition", "settings", "server", "gateway",
    "tracing", "fetching", "upstream", "integrity", "telemetry", "simulator", "core", "net",
)  # fmt: skip
"""From the top down; docs/explanation/architecture.md draws them."""
FLAT = {"__init__", "__main__", "composition"}
"""Modules outside the layers' folders."""


def modules():
    """Return the path of each module by its name; a package's is its `__init__.py`."""
    return {
        ".".join(("docwarden", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
            ".__init__"
        ): path
        for path in ROOT.rglob("*.py")
    }


def imported(path, known):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                within = f"{node.module}.{alias.name}"
                yield within if within in known else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)


def graph():
    known = modules()
    found = {name: set(imported(path, known)) for name, path in known.items()}
    assert sum(map(len, found.values())) > 100, "imports were found"
    return found


def layer(module):
    """Return how far down a module's layer lies, None for those above all layers."""
    parts = module.split(".")
    return LAYERS.index(parts[1]) if len(parts) > 1 and parts[1] in LAYERS else None


def test_no_module_stands_on_itself():
    found = graph()
    order = list(graphlib.TopologicalSorter(found).static_order())
    assert set(order) == set(found)


def test_layers_import_from_top_to_bottom_only():
    upward = [
        f"{module} imports {name}"
        for module, names in graph().items()
        for name in names
        if (below := layer(name)) is not None
        and (above := layer(module)) is not None
        and below < above
    ]
    assert upward == []


def test_every_module_lies_in_a_layer():
    assert {path.stem for path in ROOT.glob("*.py")} == FLAT
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} == {*LAYERS} - FLAT
