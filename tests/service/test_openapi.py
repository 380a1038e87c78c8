"""The described interface against the running one, with requests that nobody thought of."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance


def start(*words: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "docwarden", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "DOCWARDEN_LOG_SUCCESS_SHARE": "0", "DOCWARDEN_LOG_LEVEL": "info"},
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    return process, line


@pytest.fixture(scope="module")
def gateway_url() -> Iterator[str]:
    simulator, line = start("simulate", "--listen", "127.0.0.1:0", "--control", "off")
    upstream = line.split()[-1]
    gateway, line = start(
        "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
        "--upstream-url", f"{upstream}/{{id}}",
    )  # fmt: skip
    try:
        yield json.loads(line)["listen"]
    finally:
        for process in (gateway, simulator):
            process.kill()
            process.communicate()


OPERATIONS = [("GET", "/{id}"), ("HEAD", "/{id}"), ("GET", "/healthz"), ("GET", "/openapi.json"),
              ("GET", "/")]  # fmt: skip


@pytest.fixture(scope="module")
def interface(gateway_url: str) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{gateway_url}/openapi.json")


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_answer_is_one_that_the_description_allows(
    method: str, path: str, interface: schemathesis.BaseSchema
) -> None:
    @given(case=interface[path][method].as_strategy())
    @settings(max_examples=60, deadline=None, derandomize=True)
    def check(case: schemathesis.Case[Any]) -> None:
        response = case.call()
        # A condition or a range that does not hold is refused though it is valid.
        refused = response.status_code in {412, 416}
        excluded: list[Any] = [positive_data_acceptance] if refused else []
        case.validate_response(response, excluded_checks=excluded)

    check()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_ids_that_the_description_excludes_are_refused_as_it_says(
    method: str, interface: schemathesis.BaseSchema
) -> None:
    negative = schemathesis.GenerationMode.NEGATIVE

    @given(case=interface["/{id}"][method].as_strategy(generation_mode=negative))
    @settings(max_examples=60, deadline=None, derandomize=True)
    def check(case: schemathesis.Case[Any]) -> None:
        response = case.call_and_validate()
        assert 400 <= response.status_code < 500

    check()


def test_all_operations_are_tested(interface: schemathesis.BaseSchema) -> None:
    described = {
        (method.upper(), path)
        for path, operations in interface.raw_schema["paths"].items()
        for method in operations
    }
    assert described == set(OPERATIONS)
