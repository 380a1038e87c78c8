"""Every alert on both sides of every threshold and wait, judged by promtool."""

import functools
import itertools
import os
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import yaml

from docwarden_monitoring.objectives import BURNS, OBJECTIVES
from docwarden_monitoring.service_dashboard import SERVICE
from trial.burn_cases import burn_cases, few_cases
from trial.cause_cases import cause_cases
from trial.courses import of_tests, running_courses
from trial.programs import tool
from trial.series import Case, documents

ALWAYS = {"DocwardenDeadMansSwitch"}
ALL = [
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
CASES = {f"{case.alert} {case.severity} {case.about}": case for case in ALL}


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


@pytest.fixture(scope="module")
def judged(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    generated: dict[str, str],
) -> Iterator[dict[str, Future[str]]]:
    """What promtool found wrong with each case that pytest runs: one for each core at a time."""
    groups = yaml.safe_load(generated["rules.yaml"])["groups"]

    def judge(case: Case, folder: Path) -> str:
        test = case.as_promtool()
        rules = yaml.safe_dump({"groups": deciding(groups, case)})
        return promtool(folder, rules, [test], test["interval"])

    wanted = of_tests(request.session.items, "test_alert_fires_exactly_when_it_should")
    courses = {
        name: functools.partial(judge, CASES[name], tmp_path_factory.mktemp("case"))
        for name in wanted
    }
    with running_courses(courses, at_once=os.cpu_count() or 1) as running:
        yield running


@pytest.mark.parametrize("case", CASES)
def test_alert_fires_exactly_when_it_should(judged: dict[str, Future[str]], case: str):
    assert judged[case].result() == ""


def deciding(groups: list[dict[str, Any]], case: Case) -> list[dict[str, Any]]:
    """Return the groups with the rules that decide a case only: three days of all take a minute.

    Those are the alert of its window and what is recorded for it. Alerts without windows may look
    at each other, and all of them decide.
    """
    needed = next((each.slo for each in OBJECTIVES if each.alert == case.alert), None)
    if needed is None:
        return [each for each in groups if "causes" in each["name"]]
    found = [
        rule
        for group in groups
        for rule in group["rules"]
        if rule.get("alert") == case.alert
        and rule["labels"]["severity"] == case.severity
        and rule["labels"]["long_window"] == case.window
    ]
    recorded = [
        rule
        for group in groups
        if needed in group["name"]
        for rule in group["rules"]
        if "record" in rule
    ]
    for rule in found:  # grows by what each needs
        found += [
            each
            for each in recorded
            if each not in found and re.search(rf"{each['record']}\b", rule["expr"])
        ]
    assert len(found) > 2
    kept = [{**group, "rules": [r for r in group["rules"] if r in found]} for group in groups]
    return [group for group in kept if group["rules"]]


def test_every_rule_is_tested_on_both_sides(rules: list[dict[str, Any]]):
    def sides(name: str, severity: str, window: str) -> set[bool]:
        return {
            case.fires
            for case in ALL
            if (case.alert, case.severity, case.window) == (name, severity, window)
        }

    assert len(CASES) == len(ALL)
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
                            " 14.4 times the allowed rate.",
                            "description": "5% of the requests in 1h got no intact document;"
                            " the objective allows 0.1%. At 14.4 times that, the budget for 30d"
                            " is used up in 50 hours. Failures by outcome: circuit_open 60%,"
                            " timeout 40%.",
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
