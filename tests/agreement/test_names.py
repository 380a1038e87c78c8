"""Pages name only what exists: settings, metrics, commands and make targets."""

import re

import pytest

from docwarden.cli.main import COMMANDS
from docwarden.settings.settings import variables
from docwarden.telemetry.catalog import DECLARED
from docwarden.telemetry.metrics import Metrics, registry_of

# A misspelt setting, shown with the answer that it gets.
MISSPELT = {"DOCWARDEN_REQEST_TIMEOUT"}
# Settings that were removed; only decisions, which are superseded and not edited, speak of them.
REMOVED = {"DOCWARDEN_SERVER"}
# Python packages beside the gateway's own.
PACKAGES = {"docwarden_monitoring", "docwarden_cloud"}
# Where a command may begin in a line of code, which may be preceded by variables.
COMMAND = r"(?:^|[$|;&(]\s*|/bin/|exec )(?:[A-Z_]+=\S* )*"


def series():
    """Return the names of everything that a scrape may show."""
    families = registry_of(Metrics(version="0", revision="none")).collect()
    names = {sample.name for family in families for sample in family.samples}
    names |= {family.name for family in families}
    for each in DECLARED:
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}
        names |= {each.name + ending for ending in ("", *endings.get(each.kind, ()))}
    return names


def make_targets(root):
    target = re.compile(r"^([a-z][a-z0-9-]*):", re.MULTILINE)
    files = [root / "Makefile", *root.glob("*/*.mk")]
    return {name for file in files for name in target.findall(file.read_text(encoding="utf-8"))}


def test_settings_exist(page):
    named = set(re.findall(r"\bDOCWARDEN_[A-Z][A-Z_]*[A-Z]\b", page.read_text(encoding="utf-8")))
    removed = REMOVED if page.parent.name == "decisions" else set()
    assert named - set(variables()) - MISSPELT - removed == set()


def test_metrics_exist(page):
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w/.-])docwarden_[a-z][a-z_]*[a-z]\b(?![/.]\w)", text))
    named |= set(re.findall(r"(?<![\w/.-])http_server_[a-z_]*[a-z]\b", text))
    assert named - series() - PACKAGES == set()


def test_commands_exist(page, code):
    called = {
        word
        for line in code(page.read_text(encoding="utf-8"))
        for word in re.findall(COMMAND + r"docwarden ([a-z]+)\b(?![/.:-])", line)
    }
    assert called - set(COMMANDS) == set()


def test_make_targets_exist(page, code, root):
    called = {
        word
        for line in code(page.read_text(encoding="utf-8"))
        for word in re.findall(COMMAND + r"make ([a-z][a-z0-9-]*)\b(?![/.=])", line)
    }
    assert called - make_targets(root) == set()


def test_kubectl_is_told_the_namespace_that_the_pages_install_into(page, code):
    calls = [
        line
        for line in code(page.read_text(encoding="utf-8"))
        if re.search(r"\bkubectl\b.* (deployment|service)/docwarden\b", line)
    ]
    astray = [line for line in calls if not re.search(r" (-n|--namespace) docwarden ", line)]
    assert astray == []


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_readme_names_the_two_commands(command, root, code):
    lines = code((root / "README.md").read_text(encoding="utf-8"))
    assert any(re.match(rf"{command}\b", line) for line in lines)


def test_what_is_looked_for_is_found(root, code):
    """Guards the patterns above: a page that names everything is seen to do so."""
    text = "`$ docwarden nonsense` `make nonsense` `X_Y=1 docwarden other | docwarden third`"
    lines = code(text)
    found = [word for line in lines for word in re.findall(COMMAND + r"docwarden ([a-z]+)", line)]
    assert found == ["nonsense", "other", "third"]
    assert "test" in make_targets(root)
    assert "docwarden_documents_total" in series()
