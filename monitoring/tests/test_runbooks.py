"""Every alert has a runbook, and what it names exists."""

import re
from pathlib import Path
from typing import Any

import pytest
from docwarden.integrity.registry import REASONS
from docwarden.settings.settings import variables
from docwarden.telemetry.catalog import DECLARED

from docwarden_monitoring.causes import CAUSES
from docwarden_monitoring.objectives import OBJECTIVES
from docwarden_monitoring.recorded import BUDGET, ERRORS, RATIO, REQUESTS

FOLDER = Path(__file__).parents[2] / "docs/runbooks"
ALERTS = sorted({*(each.alert for each in OBJECTIVES), *(each.alert for each in CAUSES)})
PAGES = sorted(FOLDER.glob("*.md"))
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
SUFFIXES = ("_total", "_bucket", "_count", "_sum")
COMMANDS = ("serve", "simulate", "demo", "inspect", "probe", "config")


def test_every_alert_has_a_runbook_and_every_runbook_an_alert():
    assert [page.stem for page in PAGES if page.stem != "index"] == ALERTS


def test_links_of_alerts_lead_to_their_runbooks(rules: list[dict[str, Any]]):
    for rule in rules:
        page = rule["annotations"]["runbook_url"].rpartition("/")[2]
        assert page == f"{rule['alert']}.html"


@pytest.mark.parametrize("alert", ALERTS)
def test_runbook_has_every_section_filled(alert: str):
    text = (FOLDER / f"{alert}.md").read_text()
    assert text.startswith(f"# {alert}\n")
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    assert parts[1::2] == SECTIONS
    assert all(len(part.split()) > 5 for part in parts[2::2])
    assert "TODO" not in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_runbook_names_exists(page: Path):
    text = page.read_text()
    declared = {each.name for each in DECLARED}
    for name in re.findall(r"\bdocwarden_[a-z_]+", text):
        bare = next((name.removesuffix(each) for each in SUFFIXES if name.endswith(each)), name)
        assert bare in declared or bare == "docwarden_", name
    for name in re.findall(r"\bdocwarden:[a-z_:0-9]+", text):
        assert name in (BUDGET, ERRORS, REQUESTS) or name.startswith(RATIO), name
    assert set(re.findall(r"\bDOCWARDEN_[A-Z_]+", text)) <= set(variables())
    code = re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(
        r"`(docwarden [^`]+)`", text
    )
    commands = [name for each in code for name in re.findall(r"\bdocwarden ([a-z]+)", each)]
    assert set(commands) <= set(COMMANDS)
    for alert in re.findall(r"\bDocwarden[A-Z]\w+", text):
        assert alert in ALERTS


def test_reasons_that_runbooks_name_exist():
    reasons = {str(each) for each in REASONS}
    named = set(re.findall(r"`((?:pdf|png|deep-check|body|html|text|content|end|empty)-[a-z-]+)`",
                           (FOLDER / "DocwardenCorruptionHigh.md").read_text()))  # fmt: skip
    assert len(named) > 8
    assert named - {"pdf-parse"} <= reasons
