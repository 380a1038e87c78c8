"""The how-to guides' commands give what the guides say: `make test-tutorial`."""

import http.server
import re
import threading
from importlib.metadata import metadata
from pathlib import Path

import pytest
from tests.conftest import until
from tests.tutorial.reader import Step, steps

from docwarden.settings.loading import load
from docwarden.settings.settings import variables

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "how-to"
# Pages that are walked from their first command to their last, with nothing added.
PLAIN = ("configure", "fetch-in-ranges", "front-another-upstream", "inspect-files")
SPECIAL = ("debug-a-refusal", "read-the-console", "run-a-drill", "trace-requests")
# The others, by what walks them.
ELSEWHERE = {
    "bootstrap-aws": "infra/tests/test_aws_calls.py",
    "connect-monitoring": "monitoring/tests/test_connecting.py",
    "deploy-to-kubernetes": "tests/cluster/test_install.py",
    "query-logs": "monitoring/tests/test_log_events.py",
    "recover-from-disaster": "infra/tests/test_aws_calls.py",
    "release": "image/workflow_tests/test_how_to.py",
    "run-the-container": "image/tests/test_how_to_run.py",
    "tear-down-aws": "infra/tests/test_aws_calls.py",
}
# Commands that are not run, and why. Every other command of a page is run as soon as it is written.
NOT_RUN = {
    "pip install 'docwarden[tracing]'": "asks a registry; that the extra exists is looked at",
    "wrk -t1 -c16 -d4 http://127.0.0.1:8080/7": "seconds of load; one request stands in for it",
    "make monitoring-tools": "installs packages",
    "make drill": "five minutes; what it tells is compared with its short form, which is run",
    "PYTHONPATH=monitoring .venv/bin/python -m tests.drill --only slow": (
        "two minutes, most of them waiting; its options are looked at"
    ),
    "kubectl --namespace docwarden port-forward deployment/docwarden 8081": (
        "takes a cluster; the page that it leads to is asked for without one"
    ),
}
SETTING = re.compile(r"(DOCWARDEN_[A-Z_]+)=\S+")


def text_of(name):
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def on(name):
    """List the steps of a page that are run."""
    return [step for step in steps(text_of(name)) if step.command not in NOT_RUN]


def test_every_page_is_walked():
    walked = [*PLAIN, *SPECIAL, *ELSEWHERE]
    assert sorted(walked) == sorted(page.stem for page in PAGES.glob("*.md"))
    for test in ELSEWHERE.values():
        assert (ROOT / test).is_file()


def test_what_is_not_run_is_on_a_page():
    known = {step.command for name in (*PLAIN, *SPECIAL) for step in steps(text_of(name))}
    assert set(NOT_RUN) - known == set()


@pytest.mark.parametrize("name", PLAIN)
async def test_every_step_gives_what_the_page_says(reader, name):
    found = on(name)
    assert len(found) >= 4
    for step in found:
        setting = SETTING.fullmatch(step.command)
        if setting:
            told = await reader.type(f"{step.command} docwarden config | grep '^{setting[1]} '")
            assert told.endswith(" environment\n")
        else:
            await reader.take(step)


@pytest.mark.parametrize("name", [*PLAIN, *SPECIAL])
def test_settings_in_a_sentence_are_taken(name):
    given = dict(re.findall(r"`(DOCWARDEN_[A-Z_]+)=([^\s`]+)`", text_of(name)))
    assert set(given) <= set(variables())
    load({}, environ=given)


async def test_a_refusal_is_explained_as_the_page_says(reader):
    log = reader.folder / "gateway.log"
    for step in on("debug-a-refusal"):
        if "grep" in step.command and log.name in step.command:
            await until(lambda: "request.ended" in log.read_text(), "the request's log event")
        await reader.take(step)


async def test_console_is_where_the_page_says(reader):
    assert on("read-the-console") == []
    await reader.take(Step("docwarden serve"))
    (url,) = re.findall(r"<(http://.*)>", text_of("read-the-console"))
    assert "<title>docwarden" in await reader.type(f"curl -s {url}")


@pytest.fixture
def collector():
    """An OTLP/HTTP receiver that keeps the paths of what it was sent."""
    paths = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            paths.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, paths
        server.shutdown()
        thread.join()


@pytest.fixture
def no_opentelemetry(tmp_path):
    """Return the variables of a host where the extra is not installed."""
    folder = tmp_path / "without"
    folder.mkdir()
    (folder / "opentelemetry.py").write_text("raise ModuleNotFoundError(name=__name__)\n")
    return {"PYTHONPATH": str(folder)}


async def test_requests_are_traced_as_the_page_says(reader, collector, no_opentelemetry):
    port, paths = collector
    reader.ports["4318"] = str(port)
    measured = 0
    for step in steps(text_of("trace-requests")):
        if "pip install" in step.said:
            await reader.take(step, **no_opentelemetry)
        elif step.command in NOT_RUN:
            if not step.command.startswith("wrk "):
                continue
            await reader.take(Step(f"curl -s -o /dev/null {step.command.split()[-1]}"))
        elif "process_cpu_seconds_total" in step.command:
            told = await reader.type(step.command)
            assert re.search(r"^process_cpu_seconds_total \d", told, re.MULTILINE)
            assert f'docwarden_documents_total{{outcome="delivered"}} {measured}.0' in told
            measured += 1
        else:
            await reader.take(step)
    assert measured == 2
    await reader.close()
    assert set(paths) == {"/v1/traces"}


def test_extra_that_the_page_installs_is_one():
    (extra,) = re.findall(r"docwarden\[(\w+)\]", " ".join(NOT_RUN))
    assert extra in (metadata("docwarden").get_all("Provides-Extra") or [])


async def test_drill_tells_what_the_page_says(reader):
    reader.folder = ROOT
    shown, short = "", ""
    options = await reader.type("PYTHONPATH=monitoring python -m tests.drill --help")
    for step in steps(text_of("run-a-drill")):
        assert all(option in options for option in re.findall(r" (--[\w-]+)", step.command))
        if step.command == "make drill":
            shown = step.said
        elif step.command not in NOT_RUN:
            short = await reader.type(step.command.replace(".venv/bin/", ""))
            assert reader.status == 0, short
    # Times and counts aside, and without the pager: that is for make test-drill.
    told = acts(short)
    assert [line for line in acts(shown) if line not in told] == [
        ("start", "Prometheus and Alertmanager; their minutes last a second"),
        ("page", "after # s: DocwardenUpstreamDown, critical"),
    ]


def acts(text):
    """List who says what in a drill's output, without its times."""
    said = re.findall(r"^ *\d+ s  (\w+) +(.*?)\s*$", text, re.MULTILINE)
    return [(who, re.sub(r"\d+", "#", what)) for who, what in said]
