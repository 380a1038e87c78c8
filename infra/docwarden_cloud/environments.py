"""What may differ between environments, as typed values.

The values themselves stand in ``values.py``; nothing else in the tree knows which environments
exist.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

SERVICE = "docwarden"
"""Name of the service, its ECR repository and its Kubernetes namespace."""

ADMINISTRATOR = "cluster-admin"
"""Last part of the name of the role that administers an environment's cluster."""

PUBLIC_PORT = 8080
"""Container port of the public listener (``DOCWARDEN_LISTEN`` of the image)."""


@dataclass(frozen=True, kw_only=True)
class NodeGroup:
    """One managed node group: the capacity that is always there."""

    name: str
    architecture: Literal["amd64", "arm64"]
    instance_type: str
    size: int
    """Nodes, always. Growth beyond them is EKS Auto Mode's."""

    disk_gib: int = 50
    """For images, logs and writable layers of the pods."""

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
class GitHub:
    """The repository whose workflows may assume the delivery roles.

    Names can be given up and taken by somebody else, ids cannot: tokens of repositories made,
    renamed or transferred since 15 July 2026 carry both, and the roles ask for both. Older ones
    have to be switched over once, in the repository's OIDC settings. Read the ids off with
    ``gh api repos/OWNER/NAME --jq '.owner.id, .id'``.
    https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens
    """

    owner: str
    owner_id: int
    name: str
    repository_id: int
    provider_exists: bool = False
    """Whether the account has GitHub's OIDC provider already; it can have only one."""

    def __post_init__(self) -> None:
        """Refuse what no token would ever match, or what too many would."""
        for name in (self.owner, self.name):
            if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
                raise ValueError(f"{name!r} is no name of an owner or a repository")
        if min(self.owner_id, self.repository_id) < 1:
            raise ValueError(f"{self.slug}: ids of owner and repository are positive numbers")

    @property
    def slug(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"

    @property
    def subject(self) -> str:
        """What the ``sub`` of this repository's tokens begins with."""
        return f"repo:{self.owner}@{self.owner_id}/{self.name}@{self.repository_id}"


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One environment in one AWS account of its own.

    Repository, OIDC provider and budget are named once per account, so two environments do not
    share an account.
    """

    name: str
    region: str
    zones: tuple[str, ...]
    """Letters of two or three availability zones. Given, not looked up: synthesis stays offline."""

    cidr: str
    nat_gateways: int
    """0 puts nodes into public subnets, each with an address of its own; 1 saves money and loses
    outbound traffic with its zone; otherwise one a zone."""

    interface_endpoints: bool
    """Whether images and logs reach AWS without leaving the VPC."""

    kubernetes_version: str
    nodes: tuple[NodeGroup, ...]
    api_access_cidrs: tuple[str, ...]
    """Networks that may reach the Kubernetes API from outside the VPC; none means private only."""

    identity_center: bool
    """Whether people sign in through IAM Identity Center; otherwise whom the account's own
    policies let assume the cluster's administrator role."""

    domain: str | None
    """Public name of the service. The environment owns a hosted zone of this name. Without one
    the load balancer's own name answers, in plain HTTP."""

    github: GitHub | None
    """Who delivers here; without it people do, by ``make infra-up``."""

    upstream: Literal["given", "simulator"]
    """Where documents come from unless somebody says: nowhere, or the chart's simulator."""

    requests_per_client: int | None
    """Requests that one client address may make in five minutes before WAF answers 403; without
    the number there is no WAF."""

    log_retention_days: int
    monthly_budget_usd: int
    alert_emails: tuple[str, ...]
    keeps_data: bool
    """Whether logs, images, metrics and keys outlive their stack, and stacks resist deletion."""

    container_insights: bool
    """Whether CPU and memory of nodes and pods are kept as metrics."""

    prometheus: bool
    """Whether a managed Prometheus scrapes the pods and alerts by the project's rules; without
    it CloudWatch alarms stand in, on what the log says."""

    store: Store | None
    grafana: bool

    def __post_init__(self) -> None:
        """Refuse values that would only fail while deploying."""
        if len(self.zones) not in {2, 3}:
            raise ValueError(f"{self.name} has {len(self.zones)} zones; EKS wants two or three")
        if self.nat_gateways not in {0, 1, len(self.zones)}:
            raise ValueError(
                f"nat_gateways is {self.nat_gateways}; 0, 1 or {len(self.zones)} make sense"
            )
        for cidr in self.api_access_cidrs:
            ipaddress.IPv4Network(cidr)
        if self.grafana and not (self.prometheus and self.identity_center):
            raise ValueError("managed Grafana shows Prometheus to users of IAM Identity Center")

    @property
    def prefix(self) -> str:
        """Prefix of names in this environment, such as the cluster's."""
        return f"{SERVICE}-{self.name}"

    @property
    def availability_zones(self) -> list[str]:
        """Full names of the zones, such as ``us-east-2a``."""
        return [f"{self.region}{letter}" for letter in self.zones]
