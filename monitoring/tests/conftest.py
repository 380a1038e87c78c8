"""A running gateway, and what the generator writes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from docwarden_monitoring.documents import generate
from trial.gateway import Gateway, running_gateway

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    with running_gateway(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def generated() -> dict[str, str]:
    return generate()


@pytest.fixture(scope="session")
def rules(generated: dict[str, str]) -> list[dict[str, Any]]:
    """Every alerting rule."""
    groups = yaml.safe_load(generated["rules.yaml"])["groups"]
    return [rule for group in groups for rule in group["rules"] if "alert" in rule]
