"""What of an environment is paid for: quantities of this application, and the unit of each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from docwarden_cloud.environments import Environment

HOURS = 730
"""Hours of a month: 365 x 24 / 12."""

ENDPOINTS, WAF_RULES = 4, 4
SYSTEM_DISK_GIB = 4
DETAILED_METRICS_PER_NODE = 7
"""What EC2 measures each minute, counted as custom metrics.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/manage-detailed-monitoring.html
"""

METRICS_FROM_LOGS, ALARMS_ALWAYS, ALARMS_WITHOUT_PROMETHEUS = 3, 2, 2

SERIES_PER_POD = 400
"""Time series that one gateway pod exposes, roughly."""

SAMPLES_PER_HOUR = 120
"""At one scrape in 30 s."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the estimate."""

    part: str
    """Construct that makes what is paid for."""

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
    """KMS keys: logs, images, Kubernetes secrets, and those of runner and store."""
    return 3 + bool(environment.github) + bool(environment.store)


def lines(environment: Environment, usage: Mapping[str, float]) -> Iterator[Line]:
    """Every line of an environment's estimate that is not nothing, fixed costs first."""
    for made in (_compute, _network, _edge, _data, _observability):
        for line in made(environment, usage):
            if all(line.factors):
                yield line


def _compute(environment: Environment, usage: Mapping[str, float]) -> Iterator[Line]:
    yield Line(
        part="Cluster",
        what="Kubernetes control plane",
        factors=(1, HOURS),
        price="eks cluster hour",
    )
    for group in environment.nodes:
        yield Line(
            part="ManagedNodes",
            what=f"Managed nodes, {group.name}",
            factors=(group.size, HOURS),
            price=f"{group.instance_type} hour",
        )
        yield Line(
            part="ManagedNodes",
            what=f"Disks, {group.name}",
            factors=(group.size, SYSTEM_DISK_GIB + group.disk_gib),
            price="gp3 GB month",
        )
    nodes = sum(group.size for group in environment.nodes)
    yield Line(
        part="ManagedNodes",
        what="Detailed monitoring of nodes",
        factors=(nodes, DETAILED_METRICS_PER_NODE),
        price="custom metric month",
    )
    yield Line(
        part="Cluster",
        what="Nodes on top, Auto Mode",
        factors=(usage["auto_mode_node_hours"],),
        price="auto mode node hour",
    )
    yield Line(
        part="Runner",
        what="Deployment runner",
        factors=(usage["build_minutes"],),
        price="codebuild arm small minute",
    )


def _network(environment: Environment, usage: Mapping[str, float]) -> Iterator[Line]:
    nat = environment.nat_gateways
    yield Line(part="Network", what="NAT gateways", factors=(nat, HOURS), price="nat gateway hour")
    yield Line(
        part="Network", what="NAT traffic", factors=(usage["nat_gb"],), price="nat gateway GB"
    )
    # Without NAT gateways each node has an address of its own.
    outward = nat or sum(group.size for group in environment.nodes)
    yield Line(
        part="Network",
        what="Public addresses, outward",
        factors=(outward, HOURS),
        price="public ipv4 hour",
    )
    endpoints = ENDPOINTS if environment.interface_endpoints else 0
    yield Line(
        part="Network",
        what="Interface endpoints",
        factors=(endpoints, len(environment.zones), HOURS),
        price="interface endpoint zone hour",
    )
    yield Line(
        part="Network",
        what="Endpoint traffic",
        factors=(usage["endpoint_gb"],),
        price="interface endpoint GB",
    )


def _edge(environment: Environment, usage: Mapping[str, float]) -> Iterator[Line]:
    yield Line(
        part="LoadBalancer", what="Load balancer", factors=(1, HOURS), price="load balancer hour"
    )
    yield Line(
        part="LoadBalancer",
        what="Load balancer capacity",
        factors=(usage["capacity_units"], HOURS),
        price="load balancer capacity unit hour",
    )
    yield Line(
        part="LoadBalancer",
        what="Public addresses, inward",
        factors=(len(environment.zones), HOURS),
        price="public ipv4 hour",
    )
    # A million requests of a kB are a GB.
    yield Line(
        part="LoadBalancer",
        what="Documents to clients",
        factors=(usage["requests_millions"], usage["document_kb"]),
        price="GB out",
    )
    if environment.requests_per_client:
        yield Line(part="Firewall", what="WAF", factors=(1,), price="waf acl month")
        yield Line(part="Firewall", what="WAF rules", factors=(WAF_RULES,), price="waf rule month")
        yield Line(
            part="Firewall",
            what="WAF requests",
            factors=(usage["requests_millions"],),
            price="waf million requests",
        )
    if environment.domain:
        yield Line(part="DnsStack", what="Hosted zone", factors=(1,), price="hosted zone month")


def _data(environment: Environment, usage: Mapping[str, float]) -> Iterator[Line]:
    yield Line(part="DataKey", what="Keys", factors=(keys_of(environment),), price="kms key month")
    yield Line(part="Registry", what="Images", factors=(usage["image_gb"],), price="ecr GB month")
    yield Line(
        part="LoadBalancer",
        what="Load balancer logs",
        factors=(usage["log_gb"],),
        price="s3 GB month",
    )
    if environment.store:
        yield Line(
            part="DocumentStore",
            what="Store of verified copies",
            factors=(1 + environment.store.replicas, HOURS),
            price=f"{environment.store.node_type} hour",
        )
        yield Line(
            part="DocumentStore",
            what="Password of the store",
            factors=(1,),
            price="secret month",
        )


def _observability(environment: Environment, usage: Mapping[str, float]) -> Iterator[Line]:
    yield Line(
        part="ContainerLogs",
        what="Logs, taken in",
        factors=(usage["log_gb"],),
        price="log GB ingested",
    )
    yield Line(
        part="ContainerLogs",
        what="Logs, kept",
        factors=(usage["log_gb"], max(1, round(environment.log_retention_days / 30))),
        price="log GB month",
    )
    if environment.container_insights:
        yield Line(
            part="ContainerLogs",
            what="Node and container metrics",
            factors=(usage["insights_millions"],),
            price="container insights million observations",
        )
    yield Line(
        part="ServiceMetrics",
        what="Metrics from the log",
        factors=(METRICS_FROM_LOGS,),
        price="custom metric month",
    )
    yield Line(part="ServiceView", what="Dashboard", factors=(1,), price="dashboard month")
    alarms = ALARMS_ALWAYS + (0 if environment.prometheus else ALARMS_WITHOUT_PROMETHEUS)
    yield Line(part="Alarms", what="Alarms", factors=(alarms,), price="alarm month")
    if environment.prometheus:
        samples = SERIES_PER_POD * SAMPLES_PER_HOUR * HOURS / 10_000_000
        yield Line(
            part="Metrics",
            what="Prometheus samples",
            factors=(usage["gateway_pods"], samples),
            price="prometheus 10 million samples",
        )
        yield Line(
            part="Metrics",
            what="Prometheus collector",
            factors=(1, HOURS),
            price="prometheus collector hour",
        )
    if environment.grafana:
        for who in ("editor", "viewer"):
            yield Line(
                part="Grafana",
                what=f"Grafana {who}s",
                factors=(usage[f"grafana_{who}s"],),
                price=f"grafana {who} month",
            )
