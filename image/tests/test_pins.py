"""Every version that the tree pins is in one place, and in one that the bot renews."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BOT = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
SKIPPED = {".git", ".cache", "build", "node_modules", "cdk.out"}
# What of a file's name, or of its text, makes it one of an ecosystem.
FILES = {
    "pip": ("*requirements*.txt", ""),
    "npm": ("package.json", ""),
    "gomod": ("go.mod", ""),
    "docker": ("Dockerfile", "@sha256:"),
    "docker-compose": ("compose.yaml", ""),
    "pre-commit": (".pre-commit-config.yaml", ""),
}


def folders(ecosystem):
    """Return the folders in which the bot looks."""
    found = set()
    for each in BOT:
        if each["package-ecosystem"] == ecosystem:
            for pattern in each.get("directories", [each.get("directory")]):
                path = pattern.strip("/")
                found |= set(ROOT.glob(path)) if path else {ROOT}
    return found


def pinning(pattern, text):
    """Return the folders with files that pin."""
    return {
        path.parent
        for path in ROOT.rglob(pattern)
        if SKIPPED.isdisjoint(path.relative_to(ROOT).parts)
        and not any(part.startswith(".venv") for part in path.parts)
        and text in path.read_text()
    }


@pytest.mark.parametrize("ecosystem", FILES)
def test_bot_looks_wherever_something_is_pinned(ecosystem):
    there = pinning(*FILES[ecosystem])
    assert there
    assert there - folders(ecosystem) == set()


def test_base_image_is_named_in_one_place():
    others = [
        path.relative_to(ROOT)
        for path in (ROOT / "Dockerfile", *ROOT.glob("image/*.sh"), *ROOT.glob("image/*.mk"))
        if "@sha256:" in re.sub(r"\$\w+@|\}@|%@", "", path.read_text()).replace("@sha256:[", "")
    ]
    assert others == []


def test_workflows_pin_no_tool_of_their_own():
    for path in (ROOT / ".github/workflows").glob("*.yml"):
        text = path.read_text()
        pinned = re.findall(r"(?mi)^ *(?:\w+[-_])?version: *[\"']?(v?\d+\.\d+\.\d+)", text)
        assert pinned == [], path.name


def test_collector_that_judges_the_configuration_is_of_the_release_that_runs():
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    release = services["collector"]["image"].rpartition(":")[2]
    modules = (ROOT / "image/tools/collector/go.mod").read_text()
    assert f"go.opentelemetry.io/collector/otelcol v{release}\n" in modules
    assert f"receiver/filelogreceiver v{release}\n" in modules
