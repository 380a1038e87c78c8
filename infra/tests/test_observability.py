"""Logs, metrics, alerts, dashboards and the budget, by type and property."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from docwarden_cloud.environments import Environment
from docwarden_cloud.log_queries import LATEST_FAILURES, QUERIES, outcome_pattern
from docwarden_cloud.monitoring import Monitoring, read_monitoring
from testkit.assembly import Assembly
from testkit.policies import plain


def test_every_log_group_forgets_and_is_encrypted(assembly: Assembly, environment: Environment):
    groups = [
        resource["Properties"]
        for _, _, resource in assembly.resources()
        if resource["Type"] == "AWS::Logs::LogGroup"
    ]
    assert len(groups) == {"demo": 6, "staging": 9, "production": 9}[assembly.environment]
    for group in groups:
        assert group["RetentionInDays"] == environment.log_retention_days
        assert "KmsKeyId" in group


def test_workspace_alerts_by_the_rules_of_the_project(delivered: Assembly):
    rules = yaml.safe_load(delivered["observability"].only("AWS::APS::RuleGroupsNamespace")["Data"])
    names = {
        rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule
    }
    assert "DocwardenDown" in names


def test_every_route_of_the_project_ends_in_a_topic_of_the_environment(delivered: Assembly):
    definition = yaml.safe_load(
        plain(delivered["observability"].only("AWS::APS::Workspace")["AlertManagerDefinition"])
    )
    configuration = yaml.safe_load(definition["alertmanager_config"])
    receivers = {
        receiver["name"]: receiver["sns_configs"][0] for receiver in configuration["receivers"]
    }
    assert receivers["pager"]["topic_arn"] == "<Alerts>"
    assert receivers["heartbeat"]["topic_arn"] == "<AlertsHeartbeat>"
    assert receivers["pager"]["sigv4"] == {"region": "us-east-2"}
    routes = [configuration["route"], *configuration["route"]["routes"]]
    assert {route["receiver"] for route in routes} <= set(receivers)


def test_collector_scrapes_the_admin_port_of_the_services_pods(delivered: Assembly):
    collector = delivered["observability"].only("AWS::APS::Scraper")
    blob = collector["ScrapeConfiguration"]["ConfigurationBlob"]["Fn::Base64"]
    (job,) = json.loads(blob)["scrape_configs"]
    assert job["job_name"] == "docwarden"
    assert job["kubernetes_sd_configs"] == [{"role": "pod", "namespaces": {"names": ["docwarden"]}}]
    kept = [rule["regex"] for rule in job["relabel_configs"] if rule.get("action") == "keep"]
    assert kept == ["admin"]


def test_topics_are_encrypted_and_somebody_is_told(assembly: Assembly, environment: Environment):
    topics = assembly["observability"].resources("AWS::SNS::Topic").values()
    assert len(topics) == (2 if environment.prometheus else 1)
    assert all("KmsMasterKeyId" in topic["Properties"] for topic in topics)
    assert assembly["observability"].only("AWS::SNS::Subscription")["Protocol"] == "email"


def test_budget_warns_before_the_money_is_spent(assembly: Assembly, environment: Environment):
    budget = assembly["observability"].only("AWS::Budgets::Budget")
    limit = budget["Budget"]["BudgetLimit"]["Amount"]
    assert limit == environment.monthly_budget_usd
    kinds = {
        (each["Notification"]["NotificationType"], each["Notification"]["Threshold"])
        for each in budget["NotificationsWithSubscribers"]
    }
    assert kinds == {("ACTUAL", 80), ("FORECASTED", 100)}


def test_grafana_is_where_people_look_in_production(staging: Assembly, production: Assembly):
    assert not staging["observability"].resources("AWS::Grafana::Workspace")
    workspace = production["observability"].only("AWS::Grafana::Workspace")
    assert workspace["AuthenticationProviders"] == ["AWS_SSO"]
    assert workspace["DataSources"] == ["PROMETHEUS"]


def monitoring(**routing: Any) -> Monitoring:
    return Monitoring(rules="groups: []", routing=routing)


def test_a_receiver_without_a_topic_is_refused():
    with pytest.raises(KeyError, match="chat"):
        monitoring(receivers=[{"name": "chat"}]).alert_manager(region="us-east-2", topics={})


def test_missing_rules_say_how_to_make_them(tmp_path):
    with pytest.raises(FileNotFoundError, match="make monitoring"):
        read_monitoring(tmp_path)


def test_rules_without_groups_are_refused(tmp_path):
    (tmp_path / "rules.yaml").write_text("groups: []")
    (tmp_path / "alertmanager.yaml").write_text("receivers: []")
    with pytest.raises(ValueError, match="no rule groups"):
        read_monitoring(tmp_path)


ROOT = Path(__file__).resolve().parents[2]


def dashboard(assembly: Assembly) -> list[dict[str, Any]]:
    made = assembly["observability"].only("AWS::CloudWatch::Dashboard")
    assert made["DashboardName"] == f"docwarden-{assembly.environment}"
    body = json.dumps(made["DashboardBody"])
    joined = json.loads(body)["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else "token" for part in joined)
    widgets: list[dict[str, Any]] = json.loads(text)["widgets"]
    return widgets


def test_every_environment_has_a_dashboard_with_figures_and_logs(assembly: Assembly):
    widgets = dashboard(assembly)
    assert {widget["type"] for widget in widgets} == {"metric", "log"}
    panels = [widget["properties"] for widget in widgets if widget["type"] == "log"]
    assert any("request_id" in panel["query"] for panel in panels)
    assert all(panel["query"].startswith("SOURCE '") for panel in panels)


def test_saved_queries_are_those_of_the_how_to(assembly: Assembly):
    page = (ROOT / "docs" / "how-to" / "query-logs.md").read_text()
    shown = re.findall(r"```insights\n(.*?)\n```", page, re.DOTALL)
    saved = assembly["observability"].resources("AWS::Logs::QueryDefinition").values()
    assert sorted(each["Properties"]["QueryString"] for each in saved) == sorted(shown)
    for each in saved:
        assert plain(each["Properties"]["LogGroupNames"]) == ["<LogsApplication>"]
        assert each["Properties"]["Name"].startswith(f"docwarden-{assembly.environment}/")


@pytest.mark.parametrize("query", [*QUERIES.values(), LATEST_FAILURES])
def test_queries_name_only_fields_that_the_service_writes(query: str):
    reference = (ROOT / "docs" / "reference" / "log-events.md").read_text()
    fields = re.findall(r"`log_processed\.([a-z_.]+)`", query)
    assert fields
    for field in fields:
        assert f"| `{field}` |" in reference, field


def matches(pattern: str, outcome: str | None) -> bool:
    """CloudWatch's reading of these patterns: comparisons of one field, joined by && or ||."""
    terms = re.findall(r'\$\.log_processed\.outcome (!?=) "([^"]*)"', pattern)
    assert terms
    held = [
        outcome is not None and fnmatchcase(outcome, value) is (operator == "=")
        for operator, value in terms
    ]
    return any(held) if "||" in pattern else all(held)


def test_good_and_bad_documents_are_those_of_the_service_level_indicator():
    rules = (ROOT / "monitoring" / "generated" / "rules.yaml").read_text()
    (not_bad,) = set(re.findall(r'outcome!~"([^"]*\|client_closed)"', rules))
    reference = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    outcomes = set(not_bad.split("|")) | {"corrupt", "overloaded", "timeout", "upstream_error"}
    assert all(outcome in reference for outcome in outcomes)
    for outcome in outcomes:
        good = outcome in not_bad.split("|") and outcome != "client_closed"
        assert matches(outcome_pattern(good=True), outcome) is good
        bad = outcome not in not_bad.split("|")
        assert matches(outcome_pattern(good=False), outcome) is bad
    # Other events have no outcome.
    assert not matches(outcome_pattern(good=True), None)
    assert not matches(outcome_pattern(good=False), None)


def test_alarms_tell_the_topic_that_has_addresses(assembly: Assembly, environment: Environment):
    alarms = {
        each["Properties"]["AlarmName"].removeprefix(f"{environment.prefix}-"): each["Properties"]
        for each in assembly["observability"].resources("AWS::CloudWatch::Alarm").values()
    }
    outside, inside = {"no-pods", "refused"}, {"documents-missing", "slow"}
    assert set(alarms) == (outside if environment.prometheus else outside | inside)
    subscription = assembly["observability"].only("AWS::SNS::Subscription")
    for alarm in alarms.values():
        assert plain(alarm["AlarmActions"]) == [plain(subscription["TopicArn"])]
        for page in re.findall(r"docs/runbooks/\w+\.md", alarm["AlarmDescription"]):
            assert (ROOT / page).is_file()
    # No target at all leaves no figure behind, and is the worst case.
    assert alarms["no-pods"]["TreatMissingData"] == "breaching"


def test_alarms_may_publish_and_use_the_key(assembly: Assembly):
    policy = json.dumps(assembly["observability"].resources("AWS::SNS::TopicPolicy"))
    assert "cloudwatch.amazonaws.com" in policy
    key = assembly["network"].only("AWS::KMS::Key")["KeyPolicy"]
    services = [each["Principal"].get("Service") for each in key["Statement"]]
    assert any("cloudwatch.amazonaws.com" in listed for listed in services if listed)


def test_links_to_where_people_look_are_outputs(assembly: Assembly, environment: Environment):
    outputs = {
        name: plain(output["Value"])
        for stack in assembly.stacks
        for name, output in stack.body.get("Outputs", {}).items()
    }
    assert outputs["DashboardUrl"].endswith(f"#dashboards:name={environment.prefix}")
    assert environment.prefix in outputs["AlarmsUrl"]
    assert f"$252Faws$252Fcontainerinsights$252F{environment.prefix}" in outputs["LogsUrl"]
    assert ("GrafanaUrl" in outputs) is environment.grafana
