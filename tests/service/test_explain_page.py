"""`POST /explain/ID` on the operator listener: what it tells, to whom, and how often."""

import asyncio
import json
import sys

import pytest
from tests.conftest import ask
from tests.service.explained import FAULTY, HARMLESS, QUIET

from docwarden.admin.explain_page import BURST
from docwarden.simulator.documents import make

EVENT = "document.explained"


async def explain(gateway, document_id="7", method="POST", **headers):
    return await ask(gateway.admin_port, f"/explain/{document_id}", method, **headers)


@pytest.mark.parametrize("path", FAULTY)
async def test_fault_is_named_and_no_client_is_counted(path, start_gateway, simulator):
    suffix = ".png" if path == "flip" else ""
    quiet = path.split("/")[0] in QUIET
    gateway = await start_gateway(
        f"{simulator.url}/fault/{path}/{{id}}{suffix}",
        integrity_tier="2",
        request_timeout="30s",
        connect_timeout="10s",
        attempt_timeout="300ms" if quiet else "10s",
        max_document_bytes="1MiB",
        transport_attempts="2",
        corrupt_attempts="2",
    )
    answer = await explain(gateway)
    assert answer.status == 200
    told = json.loads(answer.body)
    assert told["client"]["reason"] == FAULTY[path]
    assert told["attempts"][-1]["reason"] == FAULTY[path]
    (event,) = await gateway.events(EVENT, 1)
    assert (event["document_id"], event["outcome"]) == ("7", FAULTY[path])
    assert event["attempts"] == len(told["attempts"])
    metrics = await gateway.metrics()
    assert not any(
        value for name, value in metrics.items() if name.startswith("docwarden_documents_total")
    )


@pytest.mark.parametrize("path", HARMLESS)
async def test_harmless_fault_is_observed(path, start_gateway, simulator):
    gateway = await start_gateway(f"{simulator.url}/fault/{path}/{{id}}")
    told = json.loads((await explain(gateway)).body)
    assert told["client"]["problem"] is None
    (attempt,) = told["attempts"]
    assert [each["reason"] for each in attempt["findings"]] == (
        [HARMLESS[path]] if HARMLESS[path] else []
    )
    assert (await gateway.events(EVENT, 1))[0]["outcome"] == "delivered"


async def test_report_is_delivered_and_nothing_of_the_document(start_gateway, simulator):
    gateway = await start_gateway(f"{simulator.url}/document/pdf/{{id}}")
    answer = await explain(gateway)
    assert answer.headers["content-type"] == "application/json"
    assert make("pdf").body[:200] not in answer.body
    assert json.loads(answer.body).keys() == {"document_id", "attempts", "client"}
    assert gateway.app.parts.memory.held == 0


async def test_attempt_is_not_judged_by_another_document_of_the_same_length(
    start_gateway, record_upstream
):
    upstream = await record_upstream()
    intact = make("png").body
    upstream.bodies = [intact[:1000] + bytes([intact[1000] ^ 1]) + intact[1001:], intact]
    gateway = await start_gateway(upstream.url, corrupt_attempts="2")
    told = json.loads((await explain(gateway)).body)
    assert [each["result"] for each in told["attempts"]] == ["corrupt", "intact"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
async def test_other_methods_are_405_and_ask_nobody(method, gateway, simulator):
    answer = await explain(gateway, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert (answer.body == b"") == (method == "HEAD")
    assert simulator.state()["counters"]["requests"] == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://test:8081"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Origin": "http://test", "Sec_Fetch_Site": "cross-site"},
    ],
)
async def test_page_of_another_site_is_refused_and_asks_nobody(headers, gateway, simulator):
    answer = await explain(gateway, **headers)
    assert (answer.status, answer.slug) == (403, "cross-site-request")
    assert simulator.state()["counters"]["requests"] == 0
    assert (await gateway.events(EVENT, 1))[0]["outcome"] == "cross-site"


async def test_own_page_may_ask(gateway):
    answer = await explain(gateway, Origin="http://test", Sec_Fetch_Site="same-origin")
    assert answer.status == 200


@pytest.mark.parametrize("document_id", ["07", "x", "", "7/8", "99999999999999999999"])
async def test_what_is_no_id_is_refused_and_not_repeated_in_the_log(document_id, gateway):
    answer = await explain(gateway, document_id)
    assert (answer.status, answer.slug) == (404, "invalid-document-id")
    (event,) = await gateway.events(EVENT, 1)
    assert (event["document_id"], event["outcome"]) == ("", "invalid-document-id")


async def test_more_than_a_few_at_once_are_told_to_come_later(gateway):
    statuses = [(await explain(gateway)).status for _ in range(BURST)]
    refused = await explain(gateway)
    assert statuses == [200] * BURST
    assert (refused.status, refused.problem["reason"]) == (503, "too-many-explanations")
    assert 1 <= int(refused.headers["retry-after"]) <= 5
    events = await gateway.events(EVENT, BURST + 1)
    assert events[-1]["outcome"] == "too-many-explanations"


async def test_switched_off_there_is_no_such_page(start_gateway, simulator):
    gateway = await start_gateway(simulator.url, explain="false")
    answer = await explain(gateway)
    assert (answer.status, answer.slug) == (404, "no-such-page")
    status, out, err = await command(gateway)
    assert (status, out) == (2, "")
    assert err == f"docwarden: {url(gateway)} does not explain: DOCWARDEN_EXPLAIN is false there\n"


def url(gateway):
    return f"http://127.0.0.1:{gateway.admin_port}"


async def command(gateway, *words):
    return await run("7", "--gateway", url(gateway), *words)


async def run(*words):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "docwarden", "explain", *words,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


async def test_command_asks_a_gateway_and_prints_what_it_tells(start_gateway, simulator):
    gateway = await start_gateway(f"{simulator.url}/fault/mangle-utf8/{{id}}", corrupt_attempts="2")
    status, out, err = await command(gateway)
    lines = out.splitlines()
    assert (status, err) == (1, "")
    assert lines[0] == f"document 7 of the gateway at {url(gateway)}"
    assert "attempt 2  corrupt: pdf-startxref-wrong" in lines
    assert lines[-1] == (
        "a client would get 502 document-corrupt (reason pdf-startxref-wrong) after 2 attempts"
    )
    status, out, _ = await command(gateway, "--json")
    assert status == 1
    assert json.loads(out)["client"]["reason"] == "pdf-startxref-wrong"


async def test_command_tells_why_a_gateway_does_not(gateway, unused_port, simulator):
    nobody = await run("7", "--gateway", f"http://127.0.0.1:{unused_port}")
    assert nobody[0] == 2
    assert "Connection refused" in nobody[2]
    status, _, err = await run("7", "--gateway", simulator.url)
    assert status == 2
    assert err.endswith("is not the operator listener of a gateway: it answers 405\n")
    assert (await command(gateway, "--save", "x"))[0] == 2
    assert (await run("7", "--gateway", "nowhere"))[0] == 2
    for _ in range(BURST):
        await explain(gateway)
    status, _, err = await command(gateway)
    assert status == 2
    assert "refuses: 503 too-many-explanations; ask again in" in err
