"""`docwarden explain`: each fault of the simulator is named, and nothing is left behind."""

import asyncio
import json
import os
import signal
import stat
import sys
from dataclasses import dataclass

import pytest
from tests.service.explained import FAULTY, HARMLESS, QUIET

from docwarden.cli.main import main
from docwarden.core.errors import Cause
from docwarden.integrity.registry import REASONS
from docwarden.simulator.documents import make
from docwarden.simulator.faults.table import FAULTS

PATIENCE = 60.0
SETTINGS = {
    "DOCWARDEN_REQUEST_TIMEOUT": "30s",
    "DOCWARDEN_CONNECT_TIMEOUT": "10s",
    "DOCWARDEN_MAX_DOCUMENT_BYTES": "1MiB",
    "DOCWARDEN_TRANSPORT_ATTEMPTS": "2",
    "DOCWARDEN_CORRUPT_ATTEMPTS": "2",
}
DELIVERED, REFUSED, USAGE = 0, 1, 2
CAUSES = {cause.value for cause in Cause}
CODES = {str(reason) for reason in REASONS}


@dataclass
class Run:
    """What a run of the command left."""

    status: int
    out: str
    err: str

    @property
    def told(self):
        return json.loads(self.out)


async def start(*words, **env):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "docwarden", "explain", *map(str, words),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **SETTINGS, **env},
    )  # fmt: skip


async def explain(upstream, *words, **env):
    """Run the command in a process of its own, as people do."""
    process = await start("7", "--upstream-url", upstream, *words, **env)
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    except TimeoutError:
        process.kill()
        raise
    return Run(process.returncode, out.decode(), err.decode())


@pytest.fixture
def explain_here(monkeypatch, capsys):
    """Runs the command in a thread of this process, which saves the start of another."""

    async def run(upstream, *words, **env):
        for name, value in (SETTINGS | env).items():
            monkeypatch.setenv(name, value)
        status = await asyncio.wait_for(
            asyncio.to_thread(main, ("explain", "7", "--upstream-url", upstream, *words)), PATIENCE
        )
        return Run(status, *capsys.readouterr())

    return run


def test_every_fault_of_the_simulator_is_asked_about():
    asked = {path.split("/")[0] for path in (*FAULTY, *HARMLESS)}
    assert asked == set(FAULTS)


@pytest.mark.parametrize("path", FAULTY)
async def test_fault_is_named_with_status_1(path, simulator, explain_here):
    suffix = ".png" if path == "flip" else ""
    # None of them needs a deep check to be found.
    env = {"DOCWARDEN_INTEGRITY_TIER": "2"}
    if path.split("/")[0] in QUIET:
        env["DOCWARDEN_ATTEMPT_TIMEOUT"] = "300ms"
    run = await explain_here(f"{simulator.url}/fault/{path}/{{id}}{suffix}", "--json", **env)
    assert (run.status, run.err) == (REFUSED, "")
    assert [each["reason"] for each in run.told["attempts"]][-1] == FAULTY[path]
    client = run.told["client"]
    assert client["reason"] == FAULTY[path]
    assert client["media_type"] is None
    assert client["status"] >= 400
    for attempt in run.told["attempts"]:
        assert attempt["result"] in CAUSES
        if attempt["reason"] in CODES:
            enforced = [each["reason"] for each in attempt["findings"] if each["mode"] == "enforce"]
            assert attempt["reason"] in enforced


@pytest.mark.parametrize("path", HARMLESS)
async def test_harmless_fault_is_observed_with_status_0(path, simulator, explain_here):
    run = await explain_here(f"{simulator.url}/fault/{path}/{{id}}", "--json")
    assert (run.status, run.err) == (DELIVERED, "")
    (attempt,) = run.told["attempts"]
    assert attempt["result"] == "intact"
    assert [(each["reason"], each["mode"]) for each in attempt["findings"]] == (
        [(HARMLESS[path], "observe")] if HARMLESS[path] else []
    )
    assert run.told["client"]["problem"] is None


async def test_json_tells_all_of_an_attempt(simulator):
    run = await explain(f"{simulator.url}/fault/mangle-utf8/{{id}}", "--json")
    assert run.told.keys() == {"document_id", "attempts", "client"}
    assert run.told["document_id"] == "7"
    first, second = run.told["attempts"]
    assert first.keys() == {
        "result", "reason", "detail", "status", "bytes", "media_type", "findings", "recalled",
        "upstream_ms", "verify_ms",
    }  # fmt: skip
    assert (first["status"], first["media_type"]) == (200, "application/pdf")
    assert first["bytes"] > 0
    assert (first["recalled"], second["recalled"]) == (False, True)
    (finding,) = first["findings"]
    assert finding.keys() == {"reason", "check", "tier", "mode", "detail"}
    assert "no section at offset" in finding["detail"]
    assert run.told["client"] == {
        "status": 502, "media_type": None, "problem": "document-corrupt",
        "reason": "pdf-startxref-wrong",
    }  # fmt: skip


async def test_people_read_attempts_and_conclusion_in_100_columns_without_colour(simulator):
    run = await explain(f"{simulator.url}/fault/mangle-utf8/{{id}}")
    heading, *_, conclusion = lines = run.out.splitlines()
    assert heading == f"document 7 of {simulator.url}/fault/mangle-utf8/{{id}}"
    assert "attempt 2  corrupt: pdf-startxref-wrong" in lines
    assert conclusion == (
        "a client would get 502 document-corrupt (reason pdf-startxref-wrong) after 2 attempts"
    )
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in run.out


async def test_failed_connection_has_its_detail(unused_port):
    run = await explain(f"http://127.0.0.1:{unused_port}/{{id}}", "--json")
    assert run.status == REFUSED
    assert {(each["reason"], each["detail"]) for each in run.told["attempts"]} == {
        ("connect-failed", "refused")
    }


async def test_checks_and_modes_are_those_of_the_settings(simulator):
    run = await explain(
        f"{simulator.url}/fault/junk-after/{{id}}", "--json",
        DOCWARDEN_INTEGRITY_CHECKS="trailing-bytes=enforce",
    )  # fmt: skip
    assert run.status == REFUSED
    assert run.told["client"]["reason"] == "trailing-bytes"
    assert run.told["attempts"][0]["findings"][0]["mode"] == "enforce"


async def test_last_body_is_saved_for_its_owner_and_replaces_nothing_unasked(
    tmp_path, record_upstream
):
    upstream = await record_upstream()
    target = tmp_path / "document"
    document = make("pdf").body
    saved = await explain(f"{upstream.url}/{{id}}", "--save", target)
    assert saved.status == DELIVERED
    assert target.read_bytes() == document
    assert stat.S_IMODE(target.stat().st_mode) == 0o600

    target.write_bytes(b"mine")
    asked = len(upstream.requests)
    refused = await explain(f"{upstream.url}/{{id}}", "--save", target)
    assert (refused.status, refused.out) == (USAGE, "")
    assert refused.err.endswith("it exists; use --force to overwrite it\n")
    assert len(upstream.requests) == asked
    assert target.read_bytes() == b"mine"

    forced = await explain(f"{upstream.url}/{{id}}", "--save", target, "--force")
    assert forced.status == DELIVERED
    assert target.read_bytes() == document
    assert list(tmp_path.iterdir()) == [target]


async def test_refused_body_is_saved_and_where_none_came_no_file_is_made(tmp_path, simulator):
    refused = await explain(f"{simulator.url}/fault/html/{{id}}", "--save", tmp_path / "page")
    assert refused.status == REFUSED
    assert b"<html" in (tmp_path / "page").read_bytes().lower()
    without = await explain(f"{simulator.url}/fault/reset/{{id}}", "--save", tmp_path / "none")
    assert without.status == REFUSED
    assert without.err.endswith("no body was received\n")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    "words",
    [("07",), ("x",), ("7", "--upstream-url", "nowhere"), ("7", "--save", "/dev/null", "--force")],
)
async def test_wrong_usage_ends_with_2_and_asks_nobody(words):
    process = await start(*words)
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (process.returncode, out) == (USAGE, b"")
    assert err


async def test_ctrl_c_leaves_no_process_and_no_file(tmp_path, stack):
    asked = asyncio.Event()

    async def say_nothing(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    stack.callback(server.close)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/{{id}}"
    process = await start("7", "--upstream-url", url, "--save", tmp_path / "document")
    await asyncio.wait_for(asked.wait(), PATIENCE)
    process.send_signal(signal.SIGINT)
    # Their output ends only when the processes of the deep checks, which inherit it, have ended.
    _, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 130
    assert err == b""
    assert list(tmp_path.iterdir()) == []
