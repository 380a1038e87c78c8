"""A running gateway, clients, and what the generator writes."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from docwarden_monitoring.documents import generate
from trial.clients import Clients
from trial.gateway import Gateway, running_gateway

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with running_gateway(tmp_path) as running:
        yield running


@pytest.fixture
def clients() -> Iterator[Callable[..., Clients]]:
    with contextlib.ExitStack() as stack:

        def start(url: str, *, threads: int = 4, rate: float = 60) -> Clients:
            started = Clients(url, threads=threads, rate=rate)
            stack.callback(started.stop)
            return started

        yield start


@pytest.fixture(scope="session")
def generated() -> dict[str, str]:
    return generate()


@pytest.fixture(scope="session")
def rules(generated: dict[str, str]) -> list[dict[str, Any]]:
    """Every alerting rule."""
    groups = yaml.safe_load(generated["rules.yaml"])["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]
