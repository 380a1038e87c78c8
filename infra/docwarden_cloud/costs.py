"""What an environment costs in a month: quantities of this application times noted prices.

``python -m docwarden_cloud.costs`` writes ``docs/reference/cloud-costs.md``.
"""

import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docwarden_cloud.environments import Environment

PRICES = Path(__file__).resolve().parents[1] / "prices.toml"

HOURS = 730
"""Hours of a month: 365 x 24 / 12."""

ENDPOINTS, ZONES, WAF_RULES = 4, 3, 4
LOAD_BALANCER_ADDRESSES = ZONES
DISK_GB = 54
SERIES_PER_POD = 400
"""Time series that one gateway pod exposes, roughly."""

SAMPLES_PER_HOUR = 120
"""At one scrape in 30 s."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the estimate."""

    what: str
    factors: tuple[float, ...]
    """Multiplied, they are the quantity."""

    price: str
    """Name in the table of prices; says the unit."""

    def cost(self, prices: Mapping[str, float]) -> float:
        """Dollars a month.

        Raises:
            KeyError: There is no such price.
        """
        total = prices[self.price]
        for factor in self.factors:
            total *= factor
        return total


def keys_of(environment: Environment) -> int:
    """KMS keys: logs, images, Kubernetes secrets, runner, and the store's."""
    return 5 if environment.store else 4


def lines(environment: Environment, usage: Mapping[str, float]) -> Iterator[Line]:
    """Every line of an environment's estimate, fixed costs first."""
    yield from _compute(environment, usage)
    yield from _network(environment, usage)
    yield from _data(environment, usage)
    yield from _observability(environment, usage)


def _compute(environment: Environment, usage: Mapping[str, float]) -> Iterator[Line]:
    yield Line(what="Kubernetes control plane", factors=(1, HOURS), price="eks cluster hour")
    for name, group in (("Graviton", environment.graviton), ("x86", environment.x86)):
        yield Line(
            what=f"Managed nodes, {name}",
            factors=(group.size, HOURS),
            price=f"{group.instance_type} hour",
        )
    yield Line(
        what="Nodes on top, Auto Mode",
        factors=(usage["auto_mode_node_hours"],),
        price="auto mode node hour",
    )
    nodes = environment.graviton.size + environment.x86.size
    yield Line(what="Disks of nodes", factors=(nodes, DISK_GB), price="gp3 GB month")
    yield Line(
        what="Deployment runner",
        factors=(usage["build_minutes"],),
        price="codebuild arm small minute",
    )


def _network(environment: Environment, usage: Mapping[str, float]) -> Iterator[Line]:
    nat = environment.nat_gateways
    yield Line(what="NAT gateways", factors=(nat, HOURS), price="nat gateway hour")
    yield Line(what="NAT traffic", factors=(usage["nat_gb"],), price="nat gateway GB")
    yield Line(
        what="Public addresses",
        factors=(nat + LOAD_BALANCER_ADDRESSES, HOURS),
        price="public ipv4 hour",
    )
    yield Line(
        what="Interface endpoints",
        factors=(ENDPOINTS, ZONES, HOURS),
        price="interface endpoint zone hour",
    )
    yield Line(
        what="Endpoint traffic", factors=(usage["endpoint_gb"],), price="interface endpoint GB"
    )
    yield Line(what="Load balancer", factors=(1, HOURS), price="load balancer hour")
    yield Line(
        what="Load balancer capacity",
        factors=(usage["capacity_units"], HOURS),
        price="load balancer capacity unit hour",
    )
    yield Line(what="WAF", factors=(1,), price="waf acl month")
    yield Line(what="WAF rules", factors=(WAF_RULES,), price="waf rule month")
    yield Line(
        what="WAF requests", factors=(usage["requests_millions"],), price="waf million requests"
    )
    yield Line(what="Hosted zone", factors=(1,), price="hosted zone month")
    # A million requests of a kB are a GB.
    out = (usage["requests_millions"], usage["document_kb"])
    yield Line(what="Documents to clients", factors=out, price="GB out")


def _data(environment: Environment, usage: Mapping[str, float]) -> Iterator[Line]:
    yield Line(what="Keys", factors=(keys_of(environment),), price="kms key month")
    yield Line(what="Images", factors=(usage["image_gb"],), price="ecr GB month")
    yield Line(what="Load balancer logs", factors=(usage["log_gb"],), price="s3 GB month")
    if environment.store:
        yield Line(
            what="Store of verified copies",
            factors=(1 + environment.store.replicas, HOURS),
            price=f"{environment.store.node_type} hour",
        )
        yield Line(what="Password of the store", factors=(1,), price="secret month")


def _observability(environment: Environment, usage: Mapping[str, float]) -> Iterator[Line]:
    months = environment.log_retention_days / 30
    yield Line(what="Logs, taken in", factors=(usage["log_gb"],), price="log GB ingested")
    yield Line(what="Logs, kept", factors=(usage["log_gb"], round(months)), price="log GB month")
    yield Line(
        what="Node and container metrics",
        factors=(usage["insights_millions"],),
        price="container insights million observations",
    )
    samples = SERIES_PER_POD * SAMPLES_PER_HOUR * HOURS / 10_000_000
    yield Line(
        what="Prometheus samples",
        factors=(usage["gateway_pods"], samples),
        price="prometheus 10 million samples",
    )
    yield Line(what="Prometheus collector", factors=(1, HOURS), price="prometheus collector hour")
    if environment.grafana:
        for who in ("editor", "viewer"):
            yield Line(
                what=f"Grafana {who}s",
                factors=(usage[f"grafana_{who}s"],),
                price=f"grafana {who} month",
            )


def read_prices(path: Path = PRICES) -> dict[str, Any]:
    """Read the table of prices and supposed usage."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def total(environment: Environment, table: Mapping[str, Any]) -> float:
    """Dollars a month for an environment."""
    usage = table["usage"][environment.name]
    return sum(line.cost(table["prices"]) for line in lines(environment, usage))


def page(environments: tuple[Environment, ...], table: Mapping[str, Any]) -> str:
    """The page of the documentation."""
    text = [
        "# What the cloud costs",
        "",
        "Generated by `make infra-costs` from `infra/app.py` (how many) and `infra/prices.toml`",
        "(unit prices and supposed usage); do not edit.",
        "",
        f"Prices: {table['region']}, US dollars, on demand, noted by hand on {table['noted']},",
        f"without taxes, discounts and free tiers. Source: {table['source']}.",
        "Nobody has compared them with a bill: check them against the AWS pricing pages before",
        f"deciding anything by them. Usage is a guess. A month has {HOURS} hours.",
        "",
        "| environment | a month | budget that warns |",
        "| --- | ---: | ---: |",
    ]
    text += [
        f"| {each.name} | {total(each, table):,.2f} | {each.monthly_budget_usd:,} |"
        for each in environments
    ]
    for environment in environments:
        text += ["", *_section(environment, table)]
    return "\n".join(text) + "\n"


def _section(environment: Environment, table: Mapping[str, Any]) -> Iterator[str]:
    usage = table["usage"][environment.name]
    yield f"## {environment.name.capitalize()}"
    yield ""
    yield "| what | quantity | unit | price | a month |"
    yield "| --- | ---: | --- | ---: | ---: |"
    for line in lines(environment, usage):
        quantity = " x ".join(f"{factor:,.6g}" for factor in line.factors)
        price = table["prices"][line.price]
        cost = line.cost(table["prices"])
        yield f"| {line.what} | {quantity} | {line.price} | {price:g} | {cost:,.2f} |"
    yield f"| **Total** | | | | **{total(environment, table):,.2f}** |"
    yield ""
    yield "Supposed usage: " + ", ".join(f"{key} = {value:g}" for key, value in usage.items()) + "."


def main() -> int:
    """Print the page."""
    from app import ENVIRONMENTS  # noqa: PLC0415  app imports this package

    sys.stdout.write(page(ENVIRONMENTS, read_prices()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
