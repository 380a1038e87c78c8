"""Modules stand on each other in one direction, those imported for their types alone included."""

import ast
import graphlib
from pathlib import Path

import docwarden

ROOT = Path(docwarden.__file__).parent


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


def test_no_module_stands_on_itself():
    known = modules()
    graph = {name: set(imported(path, known)) for name, path in known.items()}
    assert sum(map(len, graph.values())) > 100, "imports were found"
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert set(order) == set(known)
