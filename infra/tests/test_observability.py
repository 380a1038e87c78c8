"""Logs, metrics, alerts, dashboards and the budget, by type and property."""

import json
from typing import Any

import pytest
import yaml

from docwarden_cloud.monitoring import Monitoring, read_monitoring
from testkit.assembly import Assembly
from testkit.policies import plain


def test_every_log_group_forgets_and_is_encrypted(assembly: Assembly):
    days = 30 if assembly.environment == "staging" else 365
    groups = [
        resource["Properties"]
        for _, _, resource in assembly.resources()
        if resource["Type"] == "AWS::Logs::LogGroup"
    ]
    assert len(groups) == 9
    for group in groups:
        assert group["RetentionInDays"] == days
        assert "KmsKeyId" in group


def test_workspace_alerts_by_the_rules_of_the_project(assembly: Assembly):
    rules = yaml.safe_load(assembly["observability"].only("AWS::APS::RuleGroupsNamespace")["Data"])
    names = {
        rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule
    }
    assert "DocwardenDown" in names


def test_every_route_of_the_project_ends_in_a_topic_of_the_environment(assembly: Assembly):
    definition = yaml.safe_load(
        plain(assembly["observability"].only("AWS::APS::Workspace")["AlertManagerDefinition"])
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


def test_collector_scrapes_the_admin_port_of_the_services_pods(assembly: Assembly):
    collector = assembly["observability"].only("AWS::APS::Scraper")
    blob = collector["ScrapeConfiguration"]["ConfigurationBlob"]["Fn::Base64"]
    (job,) = json.loads(blob)["scrape_configs"]
    assert job["job_name"] == "docwarden"
    assert job["kubernetes_sd_configs"] == [{"role": "pod", "namespaces": {"names": ["docwarden"]}}]
    kept = [rule["regex"] for rule in job["relabel_configs"] if rule.get("action") == "keep"]
    assert kept == ["admin"]


def test_topics_are_encrypted_and_somebody_is_told(assembly: Assembly):
    topics = assembly["observability"].resources("AWS::SNS::Topic").values()
    assert len(topics) == 2
    assert all("KmsMasterKeyId" in topic["Properties"] for topic in topics)
    assert assembly["observability"].only("AWS::SNS::Subscription")["Protocol"] == "email"


def test_budget_warns_before_the_money_is_spent(assembly: Assembly):
    budget = assembly["observability"].only("AWS::Budgets::Budget")
    limit = budget["Budget"]["BudgetLimit"]["Amount"]
    assert limit == (450 if assembly.environment == "staging" else 1500)
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
