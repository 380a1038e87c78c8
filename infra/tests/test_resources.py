"""The page that lists what is in AWS says what the templates make."""

from pathlib import Path

from docwarden_cloud.cost_lines import lines
from docwarden_cloud.costs import read_prices, total
from docwarden_cloud.resources import CONSTRUCTS, page, resources
from docwarden_cloud.values import ENVIRONMENTS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "cloud-resources.md"


def test_page_is_what_make_infra_pages_writes(synthesis):
    assert PAGE.read_text() == page(synthesis.directory), "renew it: make infra-pages"


def test_every_resource_of_the_templates_is_on_the_page(synthesis, assembly):
    counted = resources(synthesis.directory / f"assembly-docwarden-{assembly.environment}")
    assert sum(number for types in counted.values() for number in types.values()) == sum(
        1 for _ in assembly.resources()
    )


def test_every_cost_belongs_to_a_construct_of_the_page():
    names = {construct.__name__ for construct in CONSTRUCTS.values()}
    table = read_prices()
    for environment in ENVIRONMENTS:
        made = list(lines(environment, table["usage"][environment.name]))
        assert {line.part for line in made} <= names
        assert sum(line.cost(table["prices"]) for line in made) == total(environment, table)
