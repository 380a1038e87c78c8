"""What may differ between environments, as typed values.

The values themselves stand in ``app.py``; nothing else in the tree knows which environments
exist.
"""

from dataclasses import dataclass

SERVICE = "docwarden"
"""Name of the service, its ECR repository and its Kubernetes namespace."""

PUBLIC_PORT = 8080
"""Container port of the public listener (``DOCWARDEN_LISTEN`` of the image)."""


@dataclass(frozen=True, kw_only=True)
class NodeGroup:
    """One managed node group: the capacity that is always there."""

    instance_type: str
    """EC2 type; its processor architecture decides the machine image."""

    size: int
    """Nodes, always. Growth beyond them is EKS Auto Mode's."""

    def __post_init__(self) -> None:
        """Refuse a group that EKS would refuse half an hour into a deployment."""
        if self.size < 1:
            raise ValueError(f"a node group has at least one node, not {self.size}")


@dataclass(frozen=True, kw_only=True)
class Store:
    """The ElastiCache store for last verified copies."""

    node_type: str
    replicas: int


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One environment in one AWS account of its own.

    Repository, OIDC provider and budget are named once per account, so two environments do not
    share an account.
    """

    name: str
    region: str
    zones: tuple[str, str, str]
    """Letters of the three availability zones. Given, not looked up: synthesis stays offline."""

    cidr: str
    nat_gateways: int
    """1 saves money and loses outbound traffic with its zone; 3 is one per zone."""

    kubernetes_version: str
    graviton: NodeGroup
    x86: NodeGroup
    api_access_cidrs: tuple[str, ...]
    """Networks that may reach the Kubernetes API from outside the VPC; none means private only."""

    domain: str
    """Public name of the service. The environment owns a hosted zone of this name."""

    github_repository: str
    """``owner/name`` of the repository whose workflows may assume the delivery roles."""

    log_retention_days: int
    requests_per_client: int
    """Requests that one client address may make in five minutes before WAF answers 403."""

    monthly_budget_usd: int
    alert_emails: tuple[str, ...]
    keeps_data: bool
    """Whether logs, images, metrics and keys outlive their stack, and stacks resist deletion."""

    store: Store | None
    grafana: bool

    def __post_init__(self) -> None:
        """Refuse values that would only fail while deploying."""
        if self.nat_gateways not in {1, 3}:
            raise ValueError(f"nat_gateways is {self.nat_gateways}; 1 or 3 make sense")
        owner, slash, repository = self.github_repository.partition("/")
        if not (owner and slash and repository) or "*" in self.github_repository:
            raise ValueError(f"github_repository is {self.github_repository!r}, not owner/name")

    @property
    def prefix(self) -> str:
        """Prefix of names in this environment, such as the cluster's."""
        return f"{SERVICE}-{self.name}"

    @property
    def availability_zones(self) -> list[str]:
        """Full names of the zones, such as ``us-east-2a``."""
        return [f"{self.region}{letter}" for letter in self.zones]
