"""Every alert has a runbook, what it names exists, and its queries and commands run as written."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docwarden.integrity.reasons import Reason
from docwarden.settings.settings import variables
from docwarden.telemetry.catalog import DECLARED

from docwarden_monitoring.causes import CAUSES
from docwarden_monitoring.objectives import OBJECTIVES
from docwarden_monitoring.recorded import BUDGET, ERRORS, RATIO, REQUESTS
from trial.clients import Clients
from trial.gateway import running_gateway
from trial.waiting import until
from trial.watch import Watch, running_watch

FOLDER = Path(__file__).parents[2] / "docs/runbooks"
ALERTS = sorted({*(each.alert for each in OBJECTIVES), *(each.alert for each in CAUSES)})
PAGES = sorted(FOLDER.glob("*.md"))
SECTIONS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
SUFFIXES = ("_total", "_bucket", "_count", "_sum")
FAULTS = ["status=503:10%", "delay=600ms:3%", "html:3%"]
# What they look for did not happen in the test.
MAY_SAY_NOTHING = ("overloaded", "deep-check-", "verify_ms // 0", "redis")
COMMANDS = ("serve", "simulate", "demo", "inspect", "probe", "config")


def blocks(language: str) -> list[Any]:
    return [
        pytest.param(block.replace("\n   ", "\n").strip(), id=f"{page.stem} {number}")
        for page in PAGES
        for number, block in enumerate(
            re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL), 1
        )
    ]


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watch]:
    folder = tmp_path_factory.mktemp("runbooks")
    with (
        running_gateway(folder, DOCWARDEN_STALE_IF_ERROR="1s") as gateway,
        running_watch(folder, gateway) as running,
    ):
        gateway.upstream(faults=FAULTS)
        gateway.upstream(mix={"png": 1, "corrupt-pdf": 9})
        clients = Clients(gateway.url, threads=10, rate=80)
        until("refused documents", lambda: clients.answers.get(502, 0) > 20)
        gateway.upstream(mix={"png": 50, "pdf": 40, "corrupt-pdf": 10})
        until("delivered documents", lambda: clients.answers.get(200, 0) > 100)
        until("a recorded budget", lambda: running.query(BUDGET))
        yield running
        clients.stop()


@pytest.fixture(scope="module")
def shell(watch: Watch) -> dict[str, str]:
    """The variables that docs/runbooks/index.md says to set."""
    gateway = watch.gateway
    upstream = next(
        each["upstream"] for each in gateway.events() if each["event.name"] == "process.ready"
    )
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PUBLIC": gateway.url,
        "ADMIN": gateway.admin,
        "UPSTREAM": upstream.removesuffix("/{id}"),
        "PROMETHEUS": watch.prometheus,
        "LOG": str(gateway.log),
        "DOCWARDEN_ADMIN_LISTEN": gateway.admin.removeprefix("http://"),
    }


@pytest.mark.parametrize("query", blocks("promql"))
def test_query_runs(watch: Watch, query: str):
    watch.query(query)


@pytest.mark.parametrize("script", blocks("sh"))
def test_command_runs(shell: dict[str, str], script: str):
    run = subprocess.run(
        ["bash", "-euc", script],
        env=shell, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.stderr == ""
    assert run.returncode == 0, run.stdout
    if not any(each in script for each in MAY_SAY_NOTHING):
        assert run.stdout.strip()


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
    reasons = {str(each) for each in Reason}
    named = set(re.findall(r"`((?:pdf|png|deep-check|body|html|text|content|end|empty)-[a-z-]+)`",
                           (FOLDER / "DocwardenCorruptionHigh.md").read_text()))  # fmt: skip
    assert len(named) > 8
    assert named - {"pdf-parse"} <= reasons
