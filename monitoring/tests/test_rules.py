"""Every alert on both sides of every threshold and wait, judged by promtool."""

import itertools
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from docwarden_monitoring.objectives import BURNS, OBJECTIVES
from docwarden_monitoring.service_dashboard import SERVICE
from trial.burn_cases import burn_cases, few_cases
from trial.cause_cases import cause_cases
from trial.programs import tool
from trial.series import Case, documents

ALWAYS = {"DocwardenDeadMansSwitch"}
CASES = [
    *itertools.chain.from_iterable(
        itertools.chain(
            itertools.chain.from_iterable(burn_cases(objective, burn) for burn in BURNS),
            few_cases(objective),
        )
        for objective in OBJECTIVES
    ),
    *cause_cases(),
    Case("always", "DocwardenDeadMansSwitch", "none", {"up": "1x10"}, 0, True),
]


def promtool(folder: Path, rules: str, tests: list[dict[str, Any]], step: str) -> str:
    """Run promtool's unit tests; return what it found wrong, which is nothing when all is well."""
    (folder / "rules.yaml").write_text(rules)
    suite = {"rule_files": ["rules.yaml"], "evaluation_interval": step, "tests": tests}
    (folder / "tests.yaml").write_text(yaml.safe_dump(suite))
    run = subprocess.run(
        [tool("promtool"), "test", "rules", "tests.yaml"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return "" if run.returncode == 0 else run.stdout + run.stderr


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.alert} {case.severity} {case.about}"
)
def test_alert_fires_exactly_when_it_should(tmp_path: Path, generated: dict[str, str], case: Case):
    test = case.as_promtool()
    # Only the groups that decide, as three days of every rule take a minute.
    content = yaml.safe_load(generated["rules.yaml"])
    needed = next((each.slo for each in OBJECTIVES if each.alert == case.alert), "causes")
    content["groups"] = [each for each in content["groups"] if needed in each["name"]]
    assert promtool(tmp_path, yaml.safe_dump(content), [test], test["interval"]) == ""


def test_every_rule_is_tested_on_both_sides(rules: list[dict[str, Any]]):
    def sides(name: str, severity: str, window: str) -> set[bool]:
        return {
            case.fires
            for case in CASES
            if (case.alert, case.severity, case.window) == (name, severity, window)
        }

    for rule in rules:
        labels = rule["labels"]
        seen = sides(rule["alert"], labels["severity"], labels.get("long_window", ""))
        assert seen == ({True} if rule["alert"] in ALWAYS else {True, False}), rule


def test_promtool_finds_the_rules_valid(tmp_path: Path, generated: dict[str, str]):
    (tmp_path / "rules.yaml").write_text(generated["rules.yaml"])
    subprocess.run(
        [tool("promtool"), "check", "rules", "--lint-fatal", "rules.yaml"], cwd=tmp_path, check=True
    )


def test_amtool_finds_the_configuration_valid(tmp_path: Path, generated: dict[str, str]):
    (tmp_path / "alertmanager.yaml").write_text(generated["alertmanager.yaml"])
    subprocess.run([tool("amtool"), "check-config", "alertmanager.yaml"], cwd=tmp_path, check=True)


def test_a_page_says_how_much_failed_and_what(tmp_path: Path, generated: dict[str, str]):
    panel = SERVICE.panel_id("Failed share by outcome")
    series = documents(
        timeout=[(70, 20)],
        circuit_open=[(70, 30)],
        delivered=[(70, 950)],
        client_closed=[(70, 500)],
    )
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {
                "alertname": "DocwardenDocumentsBudgetBurn",
                "eval_time": "10m",
                "exp_alerts": [
                    {
                        "exp_labels": {
                            "severity": "critical", "slo": "documents", "job": "docwarden",
                            "namespace": "docs", "long_window": "1h", "short_window": "5m",
                        },
                        "exp_annotations": {
                            "summary": "The error budget of documents delivered intact burns at"
                            " 14.4 times the speed that is allowed.",
                            "description": "5% of the requests of 1h brought no intact document;"
                            " the promise allows 0.1%. At 14.4 times that, the budget of 30d is"
                            " gone in 50 hours. Of the failures: circuit_open 60%, timeout 40%.",
                            "runbook_url": "https://docwarden.example/runbooks/"
                            "DocwardenDocumentsBudgetBurn.html",
                            "dashboard_url": "https://grafana.example/d/docwarden-service"
                            f"?viewPanel={panel}&var-namespace=docs",
                        },
                    }
                ],
            }
        ],
    }  # fmt: skip
    assert promtool(tmp_path, generated["rules.yaml"], [test], "1m") == ""
