"""docs/reference/log-events.md against what the service writes, and queries against the page."""

import functools
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from docwarden.fetching.resilience.breaker import Change, State
from docwarden.fetching.resilience.limiter import FloorChange
from docwarden.fetching.transitions import Transitions
from docwarden.telemetry.logs import open_log

from trial.gateway import Gateway, running_gateway
from trial.waiting import fetch, until

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs/reference/log-events.md").read_text()
QUERIES = (REPOSITORY / "docs/how-to/query-logs.md").read_text()
COMMON = {"timestamp", "severity", "event.name", "message", "service.name", "service.instance.id"}
# Written by defects, tracing, further workers and too few descriptors, which none of the requests
# below brings about.
NOT_PROVOKED = {
    "log.lines_lost",
    "worker.stalled",
    "defect",
    "process.few_descriptors",
    "process.not_warm",
    "tracing.export_failed",
    "tracing.setting_ignored",
    "worker.ready",
    "worker.died",
    "worker.not_started",
}
NEEDS_TRACING = {"span_id"}
# Stands for each field that the setting names.
ANY_HEADER = "http.request.header."
TYPES = {"string": str, "number": (int, float), "boolean": bool, "array": list, "integer": int}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def documented() -> dict[str, dict[str, str]]:
    """Fields and their types by event."""
    events = {}
    for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        name = part.splitlines()[0]
        if name not in ("On a terminal", "Volume"):
            events[name] = dict(
                re.findall(r"^\| `([^`]+)` \| (\w+)(?:, optional)? \|", part, re.MULTILINE)
            )
    return events


EVENTS = documented()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Events of a gateway that has met everything that the page describes."""
    settings = {
        "DOCWARDEN_STALE_IF_ERROR": "1m",
        "DOCWARDEN_SINGLE_FLIGHT": "true",
        "DOCWARDEN_MAX_CONCURRENCY": "4",
        "DOCWARDEN_BREAKER_OPEN": "100ms",
        "DOCWARDEN_QUEUE_TIMEOUT": "10s",
        "DOCWARDEN_LOG_SUCCESS_SHARE": "1",
        "DOCWARDEN_LOG_REQUEST_HEADERS": "X-Tenant",
        "DOCWARDEN_TRUSTED_PROXIES": "127.0.0.0/8",
    }
    with running_gateway(tmp_path_factory.mktemp("log"), **settings) as gateway:
        gateway.upstream(mix={"png": 1})
        gateway.get("/1", traceparent=TRACE)
        gateway.get("/8", x_tenant="acme", x_forwarded_for="192.0.2.7", user_agent="curl/8.5.0")
        for path in ("/", "/healthz", "/01", "/nothing"):
            gateway.get(path)
        fetch(f"{gateway.admin}/explain/7", method="POST")
        gateway.upstream(latency="300ms")
        together([lambda: gateway.get("/2")] * 2)
        together([functools.partial(gateway.get, f"/{number}") for number in range(10, 22)])
        gateway.upstream(mix={"corrupt-pdf": 1}, latency="0s")
        gateway.get("/1")  # a copy stands in
        gateway.get("/3")  # nothing does
        gateway.upstream(mix={"png": 1}, listening=False)
        gateway.get("/4")
        gateway.get("/5")  # the fifth failure in a row opens the breaker
        gateway.upstream(listening=True)
        until("a probe that succeeds", lambda: gateway.get("/6")[0] == 200)
        until("the events", lambda: len(ended(gateway)) >= 25)
        gateway.program.stop()
        return gateway.events() + changes_of_state(tmp_path_factory.mktemp("changes") / "log")


def changes_of_state(file: Path) -> list[dict[str, Any]]:
    """Events of changes of state that only load, a store or a crash would bring about."""
    with file.open("wb") as out:
        log = open_log(format_name="json", level="info", descriptor=out.fileno())
        transitions = Transitions(log, time.monotonic)
        transitions.limiter(FloorChange(True, 4, 0.8, 0.1))
        transitions.limiter(FloorChange(False, 8, 0.1, 0.1))
        transitions.store(Change(State.OPEN, "TimeoutError", 1.0, 1))
        transitions.store(Change(State.CLOSED, "", 21.5, 1))
        transitions.deep_checker("died of 9, Killed", 0.05)
        log.close()
    return [json.loads(line) for line in file.read_text().splitlines()]


def together(calls: list[Callable[[], Any]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ended(gateway: Gateway) -> list[dict[str, Any]]:
    return [each for each in gateway.events() if each["event.name"] == "request.ended"]


def test_every_event_of_the_source_is_documented_and_no_other():
    source = "".join(path.read_text() for path in (REPOSITORY / "src/docwarden").rglob("*.py"))
    named = re.findall(r'\.event\(\s*"\w+",\s*"([\w.]+)"', source)
    named += re.findall(r'\.write\(level, "([\w.]+)"', source)
    named += re.findall(r'\._line\("\w+", "([\w.]+)"', source)
    named += re.findall(r'\bEVENT: Final = "([\w.]+)"', source)
    assert set(named) == set(EVENTS)


def test_every_event_but_those_of_faults_was_written(written: list[dict[str, Any]]):
    assert {each["event.name"] for each in written} == set(EVENTS) - NOT_PROVOKED


def test_every_field_written_is_documented_with_its_type(written: list[dict[str, Any]]):
    for event in written:
        fields = EVENTS[event["event.name"]]
        assert set(event) >= COMMON
        for name in set(event) - COMMON:
            known = ANY_HEADER if name.startswith(ANY_HEADER) else name
            assert known in fields, event
            assert isinstance(event[name], TYPES[fields[known]]), event  # type: ignore[arg-type]  # classes, and tuples of them


@pytest.mark.parametrize("event", sorted(set(EVENTS) - NOT_PROVOKED))
def test_every_field_documented_was_written(written: list[dict[str, Any]], event: str):
    seen = {name for each in written if each["event.name"] == event for name in each}
    seen |= {ANY_HEADER} if f"{ANY_HEADER}x-tenant" in seen else set()
    assert set(EVENTS[event]) - NEEDS_TRACING <= seen


def test_fields_of_a_defect_are_those_that_the_code_hands_over():
    routes = (REPOSITORY / "src/docwarden/gateway/public_site.py").read_text()
    report = re.split(
        r"\n(?:    )?(?:@|(?:async )?def |class )", routes.partition("def _report_defect")[2]
    )[0]
    given = set(re.findall(r'"([\w.]+)":', report)) | set(re.findall(r"(\w+)=", report))
    log = (REPOSITORY / "src/docwarden/process/defect_log.py").read_text()
    given |= set(re.findall(r'fields\["([\w.]+)"\]', log)) | set(re.findall(r"(logger)=", log))
    assert given == set(EVENTS["defect"])


def test_levels_are_those_that_the_page_names(written: list[dict[str, Any]]):
    levels = {
        (each["http.response.status_code"], each["severity"])
        for each in written
        if each["event.name"] == "request.ended"
    }
    assert {(200, "info"), (404, "info"), (502, "error"), (200, "warning")} <= levels


def fields_in(language: str, prefix: str = "") -> set[str]:
    text = "".join(re.findall(rf"```{language}\n(.*?)```", QUERIES, re.DOTALL))
    if language == "insights":
        return {name.removeprefix(prefix) for name in re.findall(r"`([^`]+)`", text)}
    text = re.sub(r'\|= "[^"]*(?:\\.[^"]*)*"|\{namespace[^}]*\}', "", text)
    names = re.findall(r"\bby \(([^)]*)\)|unwrap (\w+)|\| (\w+)=\"|\.(\w+)\}\}", text)
    return {name.strip() for each in names for part in each for name in part.split(",") if name}


def test_insights_queries_ask_for_documented_fields():
    asked = fields_in("insights", "log_processed.")
    assert len(asked) > 8
    assert asked <= {name for fields in EVENTS.values() for name in fields} | COMMON


def test_loki_queries_ask_for_documented_fields():
    known = {name for fields in EVENTS.values() for name in fields} | COMMON
    asked = fields_in("logql") - {"__error__", ""}
    assert len(asked) > 6
    assert asked <= {name.replace(".", "_") for name in known}


def test_jq_examples_run_as_written(written: list[dict[str, Any]], tmp_path: Path):
    script = re.search(r"```sh\n(.*?)```", QUERIES, re.DOTALL)
    assert script
    log = tmp_path / "log"
    log.write_text("".join(json.dumps(each) + "\n" for each in written))
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script[1]],
        env={**os.environ, "LOG": str(log)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
    assert "document-corrupt" in run.stdout
