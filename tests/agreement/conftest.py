"""What the agreement tests compare: the tree's pages, and the code that writes some of them."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^(```+|~~~+)[^\n]*\n(.*?)^\1", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+)`")


def tracked(pattern="*"):
    """List the tree's files: committed, and new ones that are not ignored."""
    # A checkout that belongs to somebody else, as in a container, is read all the same.
    command = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others"]
    command += ["--exclude-standard", "--", pattern]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in sorted(set(listed.splitlines())) if (ROOT / name).is_file()]


def pytest_generate_tests(metafunc):
    """Run a test that takes `page` once for each Markdown page of the tree."""
    if "page" in metafunc.fixturenames:
        pages = tracked("*.md")
        metafunc.parametrize("page", pages, ids=[str(p.relative_to(ROOT)) for p in pages])


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def tree():
    return tracked()


@pytest.fixture(scope="session")
def read():
    """Read a page by its path below docs/."""
    return lambda name: (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def prose():
    """Take the code out of a page, so that only what a reader follows is left."""
    return lambda text: INLINE.sub("code", FENCE.sub("", text))


@pytest.fixture(scope="session")
def code():
    """Return the code of a page: what stands in fences and between backticks, line by line."""

    def lines(text):
        blocks = "\n".join(block for _, block in FENCE.findall(text))
        return [*blocks.splitlines(), *INLINE.findall(FENCE.sub("", text))]

    return lines


@pytest.fixture(scope="session")
def generator():
    """Import the program that writes the reference pages; it is not part of the package."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        yield importlib.import_module("reference_pages.__main__")
    finally:
        sys.path.remove(str(ROOT / "docs"))
