"""The estimate counts what the templates make, and the page says what the estimate says."""

from pathlib import Path

import pytest

from app import ENVIRONMENTS
from docwarden_cloud.costs import (
    ENDPOINTS,
    HOURS,
    WAF_RULES,
    Line,
    keys_of,
    lines,
    page,
    read_prices,
    total,
)
from docwarden_cloud.environments import Environment
from testkit.assembly import Assembly

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cloud-costs.md"


def environment_of(assembly: Assembly) -> Environment:
    return next(each for each in ENVIRONMENTS if each.name == assembly.environment)


def count(assembly: Assembly, resource_type: str) -> int:
    return sum(resource["Type"] == resource_type for _, _, resource in assembly.resources())


def test_page_is_what_make_infra_costs_writes():
    written = PAGE.read_text()
    assert written == page(ENVIRONMENTS, read_prices()), "renew it: make infra-costs"


def test_estimate_counts_what_the_templates_make(assembly: Assembly):
    environment = environment_of(assembly)
    interface = [
        resource
        for _, _, resource in assembly.resources()
        if resource["Type"] == "AWS::EC2::VPCEndpoint"
        and resource["Properties"]["VpcEndpointType"] == "Interface"
    ]
    assert len(interface) == ENDPOINTS
    assert count(assembly, "AWS::KMS::Key") == keys_of(environment)
    assert count(assembly, "AWS::EC2::NatGateway") == environment.nat_gateways
    assert len(assembly["edge"].only("AWS::WAFv2::WebACL")["Rules"]) == WAF_RULES


def test_every_price_is_used_and_every_line_has_one():
    table = read_prices()
    used = {
        line.price
        for environment in ENVIRONMENTS
        for line in lines(environment, table["usage"][environment.name])
    }
    assert used == set(table["prices"])


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda each: each.name)
def test_budget_leaves_room_above_the_estimate(environment: Environment):
    estimate = total(environment, read_prices())
    # Less room and it warns every month; much more and it warns too late.
    assert 1.1 < environment.monthly_budget_usd / estimate < 2


def test_a_line_multiplies_its_factors_with_its_price():
    line = Line(what="nodes", factors=(3, HOURS), price="hour")
    assert line.cost({"hour": 0.1}) == pytest.approx(219)
