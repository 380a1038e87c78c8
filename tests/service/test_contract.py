"""The HTTP contract of the public listener, over real sockets."""

import base64
import hashlib
import json
import re

import pytest

from docwarden.simulator.documents import make

PDF = "/document/pdf/{id}"


@pytest.fixture
async def pdf_gateway(start_gateway, simulator):
    return await start_gateway(simulator.url + PDF)


async def test_document_is_delivered_byte_for_byte_with_the_type_of_its_bytes(
    start_gateway, simulator
):
    gateway = await start_gateway(simulator.url, integrity_tier="3")
    answer = await gateway.get("/529852")
    assert answer.status == 200
    assert hashlib.sha256(answer.body).hexdigest() in simulator.held
    kind = {b"%PDF": "application/pdf", b"\x89PNG": "image/png"}[answer.body[:4]]
    assert answer.headers["content-type"] == kind


async def test_document_carries_the_headers_of_the_contract(pdf_gateway):
    answer = await pdf_gateway.get("/7", X_Request_ID="abc-1")
    headers = answer.headers
    assert headers["content-length"] == str(len(answer.body))
    assert headers["content-disposition"] == 'inline; filename="7.pdf"'
    assert re.fullmatch(r'"[0-9a-f]{32}"', headers["etag"])
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "private, no-cache"
    assert headers["x-request-id"] == "abc-1"
    assert re.fullmatch(r"upstream;dur=[\d.]+, verify;dur=[\d.]+", headers["server-timing"])
    assert headers["accept-ranges"] == "bytes"
    assert "date" in headers
    assert "repr-digest" not in headers
    assert "age" not in headers


async def test_head_answers_as_get_without_a_body(pdf_gateway):
    got = await pdf_gateway.get("/7", X_Request_ID="same")
    head = await pdf_gateway.get("/7", method="HEAD", X_Request_ID="same")
    assert head.status == 200
    assert head.body == b""
    same = set(got.headers) - {"date", "server-timing"}
    assert {name: head.headers[name] for name in same} == {n: got.headers[n] for n in same}


async def test_known_entity_tag_is_answered_304(pdf_gateway):
    etag = (await pdf_gateway.get("/7")).headers["etag"]
    for value in (etag, f"W/{etag}", f'"x", {etag}', "*"):
        answer = await pdf_gateway.get("/7", If_None_Match=value)
        assert (answer.status, answer.body) == (304, b""), value
        assert answer.headers["etag"] == etag
        assert "content-length" not in answer.headers
    assert (await pdf_gateway.get("/7", If_None_Match='"other"')).status == 200
    metrics = await pdf_gateway.metrics()
    assert metrics['docwarden_documents_total{outcome="not_modified"}'] == 4


@pytest.mark.parametrize(
    ("value", "first", "last"),
    [("bytes=0-99", 0, 99), ("bytes=100-", 100, None), ("bytes=-100", -100, None)],
)
async def test_range_is_cut_from_the_verified_document(value, first, last, pdf_gateway):
    whole = (await pdf_gateway.get("/7")).body
    answer = await pdf_gateway.get("/7", Range=value)
    assert answer.status == 206
    assert answer.body == whole[first : None if last is None else last + 1]
    start = first if first >= 0 else len(whole) + first
    end = len(whole) - 1 if last is None else last
    assert answer.headers["content-range"] == f"bytes {start}-{end}/{len(whole)}"
    assert answer.headers["content-length"] == str(len(answer.body))


async def test_range_outside_the_document_is_416_with_its_size(pdf_gateway):
    whole = (await pdf_gateway.get("/7")).body
    answer = await pdf_gateway.get("/7", Range="bytes=999999-")
    assert (answer.status, answer.slug) == (416, "range-not-satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(whole)}"


@pytest.mark.parametrize("value", ["bytes=0-1,5-6", "lines=1-2", "bytes=9-1", "bytes=", "x"])
async def test_range_that_cannot_be_served_in_one_part_is_ignored(value, pdf_gateway):
    assert (await pdf_gateway.get("/7", Range=value)).status == 200


async def test_if_range_of_another_version_gets_the_whole(pdf_gateway):
    etag = (await pdf_gateway.get("/7")).headers["etag"]
    assert (await pdf_gateway.get("/7", Range="bytes=0-1", If_Range=etag)).status == 206
    assert (await pdf_gateway.get("/7", Range="bytes=0-1", If_Range='"old"')).status == 200
    weak = await pdf_gateway.get("/7", Range="bytes=0-1", If_Range=f"W/{etag}")
    assert weak.status == 200


@pytest.mark.parametrize("wanted", ['"other"', "W/{etag}", '"other", W/{etag}'])
async def test_document_other_than_the_wanted_one_is_412(wanted, pdf_gateway):
    etag = (await pdf_gateway.get("/1")).headers["etag"]
    answer = await pdf_gateway.get("/1", If_Match=wanted.format(etag=etag), Range="bytes=0-9")
    assert (answer.status, answer.slug) == (412, "precondition-failed")
    assert pdf_gateway.app.parts.memory.held == 0


@pytest.mark.parametrize("wanted", ["*", "{etag}", '"other", {etag}'])
async def test_wanted_document_is_delivered(wanted, pdf_gateway):
    etag = (await pdf_gateway.get("/1")).headers["etag"]
    answer = await pdf_gateway.get("/1", If_Match=wanted.format(etag=etag), Range="bytes=0-9")
    assert answer.status == 206


async def test_range_is_ignored_for_head(pdf_gateway):
    assert (await pdf_gateway.get("/7", method="HEAD", Range="bytes=0-1")).status == 200


@pytest.mark.parametrize(("wish", "name"), [("sha-256=10", "sha256"), ("sha-512=3", "sha512")])
async def test_digest_is_given_when_asked_for(wish, name, pdf_gateway):
    answer = await pdf_gateway.get("/7", Want_Repr_Digest=wish)
    digest = base64.b64encode(hashlib.new(name, answer.body).digest()).decode()
    assert answer.headers["repr-digest"] == f"{wish.split('=')[0]}=:{digest}:"


async def test_digest_of_a_part_is_that_of_the_whole(pdf_gateway):
    whole = await pdf_gateway.get("/7", Want_Repr_Digest="sha-256=1")
    part = await pdf_gateway.get("/7", Want_Repr_Digest="sha-256=1", Range="bytes=0-9")
    assert part.headers["repr-digest"] == whole.headers["repr-digest"]


@pytest.mark.parametrize(
    "path",
    [
        "/01",
        "/-1",
        "/1.5",
        "/abc",
        "/1/2",
        "/12345678901234567890",
        "/%31",
        "/1%00",
        "/../1",
        "//1",
    ],
)
async def test_what_is_no_document_id_is_404_and_reaches_no_upstream(path, gateway, simulator):
    answer = await gateway.get(path)
    assert (answer.status, answer.slug) == (404, "invalid-document-id")
    assert simulator.counters.requests == 0


@pytest.mark.parametrize("path", ["/0", "/1", "/9223372036854775807", "/1?x=1", "/1#x"])
async def test_what_is_a_document_id_is_fetched(path, gateway):
    assert (await gateway.get(path)).status == (404 if "#" in path else 200)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW", "get"])
async def test_other_methods_are_405_and_name_the_right_ones(method, gateway, simulator):
    answer = await gateway.get("/1", method=method)
    assert (answer.status, answer.slug) == (405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, HEAD"
    assert simulator.counters.requests == 0


async def test_problem_has_every_member(gateway):
    answer = await gateway.get("/abc", X_Request_ID="r-1")
    assert set(answer.problem) == {
        "type", "title", "status", "detail", "instance", "request_id", "reason", "attempts",
    }  # fmt: skip
    assert answer.problem["instance"] == "/abc"
    assert answer.problem["request_id"] == answer.headers["x-request-id"] == "r-1"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_browser_gets_the_problem_as_a_page(gateway):
    accept = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"
    answer = await gateway.get("/abc", X_Request_ID="r-1", Accept=accept)
    assert answer.status == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["vary"] == "Accept"
    page = answer.body.decode()
    for told in ("Not a document id", "invalid-document-id", "r-1", "/abc"):
        assert f">{told}<" in page


@pytest.mark.parametrize("sent", ["with space", "x" * 129, "<script>", "a;b", ""])
async def test_unsafe_request_id_is_replaced(sent, gateway):
    answer = await gateway.get("/1", X_Request_ID=sent)
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


async def test_unsafe_path_is_not_repeated(gateway):
    answer = await gateway.get("/<script>alert(1)</script>")
    assert answer.problem["instance"] == "/"


async def test_trace_context_is_passed_on_and_logged(start_gateway, record_upstream):
    upstream = await record_upstream()
    gateway = await start_gateway(upstream.url)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await gateway.get("/5", traceparent=parent, tracestate="vendor=1", X_Request_ID="r-9")
    (request,) = upstream.requests
    lines = request.decode().lower().split("\r\n")
    assert lines[0] == "get /5 http/1.1"
    assert f"traceparent: {parent}" in lines
    assert "tracestate: vendor=1" in lines
    assert "x-request-id: r-9" in lines
    assert "accept-encoding: identity" in lines
    (event,) = await gateway.events("request.ended", 1)
    assert event["trace_id"] == "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize(
    "parent",
    [
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-xyz",
        "ff-" + "1" * 32 + "-" + "1" * 16 + "-01",
    ],
)
async def test_broken_trace_context_is_dropped(parent, start_gateway, record_upstream):
    upstream = await record_upstream()
    gateway = await start_gateway(upstream.url)
    await gateway.get("/5", traceparent=parent)
    assert b"traceparent" not in upstream.requests[0].lower()


async def test_nothing_of_a_client_but_the_id_reaches_the_upstream(start_gateway, record_upstream):
    upstream = await record_upstream()
    gateway = await start_gateway(upstream.url)
    await gateway.get("/5?secret=1", Cookie="session=1", Authorization="Basic eDp5", X_Evil="1")
    request = upstream.requests[0].lower()
    assert b"secret" not in request
    assert b"cookie" not in request
    assert b"authorization" not in request
    assert b"x-evil" not in request


async def test_deadline_is_told_to_the_upstream_unless_switched_off(start_gateway, record_upstream):
    upstream = await record_upstream()
    gateway = await start_gateway(upstream.url, request_timeout="2s", attempt_timeout="1500ms")
    await gateway.get("/5")
    left = re.search(rb"X-Request-Timeout-Ms: (\d+)\r\n", upstream.requests[0])
    assert left is not None
    assert 1000 < int(left[1]) <= 1500
    silent = await start_gateway(upstream.url, forward_deadline="off")
    await silent.get("/5")
    assert b"X-Request-Timeout-Ms" not in upstream.requests[1]


async def test_public_pages(gateway):
    health = await gateway.get("/healthz")
    assert (health.status, json.loads(health.body)) == (200, {"status": "ok"})
    description = json.loads((await gateway.get("/openapi.json")).body)
    assert set(description["paths"]) == {"/{id}", "/healthz", "/openapi.json", "/"}
    index = await gateway.get("/")
    assert index.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("first", ["intact", "broken"])
async def test_verdict_is_not_that_of_another_document_of_the_same_length(
    first, start_gateway, record_upstream
):
    upstream = await record_upstream()
    intact = make("png").body
    broken = intact[:1000] + bytes([intact[1000] ^ 1]) + intact[1001:]
    upstream.bodies = [intact, broken] if first == "intact" else [broken, intact]
    gateway = await start_gateway(upstream.url, corrupt_attempts="1")
    statuses = [(await gateway.get("/7")).status for _ in range(2)]
    assert statuses == ([200, 502] if first == "intact" else [502, 200])


async def test_operator_pages(gateway):
    for path in ("/livez", "/readyz", "/startupz"):
        assert (await gateway.admin(path)).status == 200
    version = json.loads((await gateway.admin("/version")).body)
    assert set(version) == {"version", "revision", "python"}
    missing = await gateway.admin("/nothing")
    assert (missing.status, missing.slug) == (404, "no-such-page")


async def test_head_of_an_operator_page_that_is_missing_has_no_body(gateway, talk):
    raw = await talk(
        gateway.admin_port,
        b"HEAD /nothing HTTP/1.1\r\nHost: test\r\n\r\n"
        b"GET /livez HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
    )
    missing, alive, _ = raw.split(b"\r\n\r\n")
    assert missing.startswith(b"HTTP/1.1 404 ")
    assert alive.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "accept", ["application/openmetrics-text; version=x", "text/plain; version=é"]
)
async def test_metrics_are_plain_where_the_wish_makes_no_sense(accept, gateway):
    answer = await gateway.admin("/metrics", Accept=accept)
    assert (answer.status, answer.headers["content-type"].split(";")[0]) == (200, "text/plain")


async def test_operator_pages_are_not_on_the_public_listener(gateway):
    for path in ("/metrics", "/livez", "/readyz", "/startupz", "/version"):
        assert (await gateway.get(path)).status == 404


async def test_metrics_are_given_as_openmetrics_when_asked(gateway):
    await gateway.get("/1", traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    answer = await gateway.admin("/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert b'# {trace_id="0af7651916cd43dd8448eb211c80319c"}' in answer.body
    assert answer.body.endswith(b"# EOF\n")


async def test_successes_are_sampled_and_failures_always_logged(start_gateway, simulator):
    gateway = await start_gateway(simulator.url + PDF, log_success_share="0")
    await gateway.get("/1")
    await gateway.get("/abc")
    (event,) = await gateway.events("request.ended", 1)
    assert event["reason"] == "invalid-document-id"


async def test_log_event_tells_the_whole_request(pdf_gateway):
    answer = await pdf_gateway.get("/7")
    (event,) = await pdf_gateway.events("request.ended", 1)
    assert event["severity"] == "info"
    assert event["document_id"] == "7"
    assert event["request_id"] == answer.headers["x-request-id"]
    assert event["outcome"] == "delivered"
    assert event["media_type"] == "application/pdf"
    assert event["http.response.body.size"] == len(answer.body)
    assert event["client.address"] == "127.0.0.1"
    assert [attempt["result"] for attempt in event["attempts"]] == ["intact"]
    assert event["total_ms"] >= event["upstream_ms"] > 0
    assert event["verify_ms"] > 0
