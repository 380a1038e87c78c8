"""The estimate counts what the templates make, and the page says what the estimate says."""

from pathlib import Path

import pytest

from docwarden_cloud.cost_lines import (
    ALARMS_ALWAYS,
    ALARMS_WITHOUT_PROMETHEUS,
    ENDPOINTS,
    HOURS,
    METRICS_FROM_LOGS,
    WAF_RULES,
    Line,
    keys_of,
    lines,
)
from docwarden_cloud.costs import page, read_prices, total
from docwarden_cloud.environments import Environment
from docwarden_cloud.values import DEMO, ENVIRONMENTS
from testkit.assembly import Assembly

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cloud-costs.md"


def count(assembly: Assembly, resource_type: str) -> int:
    return sum(resource["Type"] == resource_type for _, _, resource in assembly.resources())


def test_page_is_what_make_infra_pages_writes():
    written = PAGE.read_text()
    assert written == page(ENVIRONMENTS, read_prices()), "renew it: make infra-pages"


def test_estimate_counts_what_the_templates_make(assembly: Assembly, environment: Environment):
    interface = [
        resource
        for _, _, resource in assembly.resources()
        if resource["Type"] == "AWS::EC2::VPCEndpoint"
        and resource["Properties"]["VpcEndpointType"] == "Interface"
    ]
    assert len(interface) == (ENDPOINTS if environment.interface_endpoints else 0)
    assert count(assembly, "AWS::KMS::Key") == keys_of(environment)
    assert count(assembly, "AWS::EC2::NatGateway") == environment.nat_gateways
    assert count(assembly, "AWS::Logs::MetricFilter") == METRICS_FROM_LOGS
    assert count(assembly, "AWS::CloudWatch::Dashboard") == 1
    more = 0 if environment.prometheus else ALARMS_WITHOUT_PROMETHEUS
    assert count(assembly, "AWS::CloudWatch::Alarm") == ALARMS_ALWAYS + more
    if environment.requests_per_client:
        assert len(assembly["edge"].only("AWS::WAFv2::WebACL")["Rules"]) == WAF_RULES
    else:
        assert count(assembly, "AWS::WAFv2::WebACL") == 0


def test_every_price_is_used_and_every_line_has_one():
    table = read_prices()
    used = {
        line.price
        for environment in ENVIRONMENTS
        for line in lines(environment, table["usage"][environment.name])
    }
    assert used == set(table["prices"])


@pytest.mark.parametrize("each", ENVIRONMENTS, ids=lambda each: each.name)
def test_budget_leaves_room_above_the_estimate(each: Environment):
    estimate = total(each, read_prices())
    # Less room and it warns every month; much more and it warns too late.
    assert 1.1 < each.monthly_budget_usd / estimate < 2


def test_the_demo_costs_less_than_150_dollars_a_month():
    assert total(DEMO, read_prices()) < 150


def test_every_price_of_the_demo_names_its_source():
    table = read_prices()
    used = {line.price for line in lines(DEMO, table["usage"][DEMO.name])}
    assert used <= set(table["sources"])
    assert set(table["sources"]) <= set(table["prices"])


def test_a_line_multiplies_its_factors_with_its_price():
    line = Line(part="ManagedNodes", what="nodes", factors=(3, HOURS), price="hour")
    assert line.cost({"hour": 0.1}) == pytest.approx(219)
