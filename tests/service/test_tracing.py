"""Traces, as an OTLP collector and the upstream see them: real sockets, real protocol buffers."""

import asyncio
import contextlib
import http.server
import json
import os
import re
import signal
import sys
import threading
import time

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, SpanFlags, Status

from docwarden.simulator.documents import make

ANY_PORT = ("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
CLIENT_SPAN = "b7ad6b7169203331"
PARENT = f"00-{TRACE_ID}-{CLIENT_SPAN}-01"
PDF = make("pdf").body


class Seen:
    """One span as a collector got it."""

    def __init__(self, span):
        self.name = span.name
        self.kind = Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower()
        self.trace_id = span.trace_id.hex()
        self.id = span.span_id.hex()
        self.parent = span.parent_span_id.hex()
        self.has_remote_parent = bool(span.flags & SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
        self.state = span.trace_state
        self.failed = span.status.code == Status.STATUS_CODE_ERROR
        self.started = span.start_time_unix_nano
        self.ended = span.end_time_unix_nano
        self.attributes = attributes_of(span)


def attributes_of(thing):
    return {
        each.key: getattr(each.value, each.value.WhichOneof("value")) for each in thing.attributes
    }


class Collector:
    """An OTLP/HTTP receiver in a thread.

    `answer` is the status for what comes; `hangs` makes it read and never answer.
    """

    def __init__(self):
        self.requests: list[tuple[str, bytes]] = []
        self.answer = 200
        self.hangs = False
        self.over = threading.Event()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.requests.append((self.path, body))
                if collector.hangs:
                    collector.over.wait()
                    return
                self.send_response(collector.answer)
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def resource_spans(self):
        for _, body in self.requests:
            yield from ExportTraceServiceRequest.FromString(body).resource_spans

    @property
    def spans(self):
        return [
            Seen(span)
            for resource in self.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def named(self, name):
        return sorted((s for s in self.spans if s.name == name), key=lambda span: span.started)

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def collector():
    with contextlib.closing(Collector()) as collector:
        yield collector


@pytest.fixture
def otel(collector):
    """The variables of a process that sends its spans to `collector` at once."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.5",
        "OTEL_BSP_SCHEDULE_DELAY": "20",
    }


@pytest.fixture
def traced(otel, monkeypatch, start_gateway):
    """Start a gateway in this process that traces."""

    async def start(upstream, *, variables=None, **settings):
        for name, value in {**otel, **(variables or {})}.items():
            monkeypatch.setenv(name, value)
        return await start_gateway(upstream, **settings)

    return start


class Upstream:
    """Answers with a script's bytes, then with a PDF, and keeps the heads it was sent."""

    def __init__(self, *script):
        self.script = list(script)
        self.heads: list[str] = []
        self.port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/{{id}}"

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode().lower())
                body = self.script.pop(0) if self.script else PDF
                if body is None:
                    await reader.read()
                    break
                if isinstance(body, int):
                    writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % body)
                    continue
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    @property
    def parents(self):
        return [re.findall(r"^traceparent: (\S+)\r$", head, re.MULTILINE) for head in self.heads]


@pytest.fixture
def scripted(stack):
    async def start(*script):
        upstream = Upstream(*script)
        server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
        stack.callback(server.close)
        upstream.port = server.sockets[0].getsockname()[1]
        return upstream

    return start


@pytest.fixture
def serve_traced(otel, start_process, scripted):
    """Start a gateway in a process of its own, by default one that traces."""

    async def start(env=None, **variables):
        upstream = await scripted()
        given = {**otel, **variables} if env is None else env
        return await start_process("serve", *ANY_PORT, "--upstream-url", upstream.url, env=given)

    return start


async def test_delivered_document_leaves_a_span_for_request_attempt_and_verification(
    traced, scripted, collector, until
):
    upstream = await scripted()
    gateway = await traced(upstream.url)
    await gateway.get("/5", X_Request_ID="r-5")
    await until(lambda: len(collector.spans) == 3, "three spans")
    (server,), (attempt,), (verify,) = map(collector.named, ("GET /{id}", "GET", "verify"))
    assert [span.kind for span in (server, attempt, verify)] == ["server", "client", "internal"]
    assert (server.parent, attempt.parent, verify.parent) == ("", server.id, attempt.id)
    assert len({span.trace_id for span in (server, attempt, verify)}) == 1
    assert server.started <= attempt.started <= verify.started
    assert verify.ended <= attempt.ended <= server.ended
    assert 0 <= time.time() - server.started / 1e9 < 60
    assert not any(span.failed for span in collector.spans)
    assert server.attributes == {
        "http.request.method": "GET",
        "http.route": "/{id}",
        "http.response.status_code": 200,
        "url.scheme": "http",
        "url.path": "/5",
        "client.address": "127.0.0.1",
        "docwarden.request_id": "r-5",
        "docwarden.document_id": "5",
        "docwarden.outcome": "delivered",
        "docwarden.media_type": "application/pdf",
        "docwarden.attempts": 1,
    }
    assert attempt.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
        "server.address": "127.0.0.1",
        "server.port": upstream.port,
        "url.full": f"http://127.0.0.1:{upstream.port}/5",
    }
    assert verify.attributes == {"docwarden.recalled": False}


async def test_verification_says_whether_its_verdict_was_remembered(
    traced, scripted, collector, until
):
    gateway = await traced((await scripted()).url)
    await gateway.get("/5")
    await gateway.get("/6")
    await until(lambda: len(collector.named("verify")) == 2, "both verifications")
    verifications = collector.named("verify")
    assert [span.attributes["docwarden.recalled"] for span in verifications] == [False, True]


async def test_every_attempt_has_its_span_and_tells_the_upstream_of_it(
    traced, scripted, collector, until
):
    upstream = await scripted(503, PDF[:-100] + b"\n%%EOF")
    gateway = await traced(upstream.url)
    assert (await gateway.get("/5")).status == 200
    await until(lambda: collector.named("GET /{id}"), "the request's span")
    (server,) = collector.named("GET /{id}")
    attempts = collector.named("GET")
    assert [span.attributes.get("http.request.resend_count") for span in attempts] == [None, 1, 2]
    assert [span.attributes["http.response.status_code"] for span in attempts] == [503, 200, 200]
    assert [span.attributes.get("error.type") for span in attempts] == [
        "upstream-status", "corrupt", None,
    ]  # fmt: skip
    assert [span.failed for span in attempts] == [True, True, False]
    assert attempts[0].attributes["docwarden.reason"] == "upstream-status-503"
    assert attempts[1].attributes["docwarden.refused_media_type"] == "application/pdf"
    assert {span.parent for span in attempts} == {server.id}
    told = [[f"00-{server.trace_id}-{span.id}-01"] for span in attempts]
    assert upstream.parents == told
    verifications = collector.named("verify")
    assert [span.parent for span in verifications] == [span.id for span in attempts[1:]]
    assert [span.failed for span in verifications] == [True, False]
    assert (server.failed, server.attributes["docwarden.attempts"]) == (False, 3)


async def test_client_context_is_the_parent_and_its_state_goes_on(
    traced, scripted, collector, until
):
    upstream = await scripted()
    gateway = await traced(upstream.url)
    await gateway.get("/5", traceparent=PARENT, tracestate="vendor=1,other=x")
    await until(lambda: collector.named("GET /{id}"), "the request's span")
    (server,), (attempt,) = collector.named("GET /{id}"), collector.named("GET")
    assert (server.trace_id, server.parent) == (TRACE_ID, CLIENT_SPAN)
    assert (server.has_remote_parent, attempt.has_remote_parent) == (True, False)
    assert server.state == attempt.state == "vendor=1,other=x"
    assert upstream.parents == [[f"00-{TRACE_ID}-{attempt.id}-01"]]
    assert "tracestate: vendor=1,other=x\r\n" in upstream.heads[0]
    (event,) = await gateway.events("request.ended", 1)
    assert (event["trace_id"], event["span_id"]) == (TRACE_ID, server.id)


async def test_random_flag_of_the_client_is_kept(traced, scripted):
    upstream = await scripted()
    gateway = await traced(upstream.url)
    await gateway.get("/5", traceparent=PARENT[:-2] + "03")
    assert upstream.parents[0][0].endswith("-03")


async def test_invalid_client_context_begins_a_new_trace(traced, scripted, collector, until):
    upstream = await scripted()
    gateway = await traced(upstream.url)
    await gateway.get("/5", traceparent=PARENT.upper(), tracestate="vendor=1")
    await until(lambda: collector.named("GET /{id}"), "the request's span")
    (server,) = collector.named("GET /{id}")
    assert server.parent == ""
    assert server.trace_id != TRACE_ID
    assert "tracestate" not in upstream.heads[0]


async def test_log_and_exemplars_carry_the_trace_that_the_gateway_began(
    traced, scripted, collector, until
):
    upstream = await scripted()
    gateway = await traced(upstream.url)
    await gateway.get("/5")
    await until(lambda: collector.named("GET /{id}"), "the request's span")
    (server,) = collector.named("GET /{id}")
    (event,) = await gateway.events("request.ended", 1)
    assert (event["trace_id"], event["span_id"]) == (server.trace_id, server.id)
    assert await exemplars(gateway) == {
        "docwarden_upstream_attempt_duration_seconds": {server.trace_id},
        "http_server_request_duration_seconds": {server.trace_id},
    }


async def exemplars(gateway):
    """Trace ids by metric."""
    answer = await gateway.admin("/metrics", Accept="application/openmetrics-text")
    found: dict[str, set[str]] = {}
    for line in answer.body.decode().splitlines():
        match = re.match(r'(\w+)_bucket{.*# {trace_id="(\w+)"}', line)
        if match:
            found.setdefault(match[1], set()).add(match[2])
    return found


@pytest.mark.parametrize(
    ("variables", "headers"),
    [
        pytest.param({"OTEL_TRACES_SAMPLER": "always_off"}, {}, id="by the sampler"),
        pytest.param({}, {"traceparent": PARENT[:-2] + "00"}, id="by the client"),
        pytest.param(
            {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
            {"traceparent": PARENT},
            id="by ratio, whatever the client says",
        ),
    ],
)
async def test_request_that_is_sampled_out_passes_the_context_on_and_is_not_recorded(
    variables, headers, traced, scripted, collector
):
    upstream = await scripted()
    gateway = await traced(upstream.url, variables=variables)
    await gateway.get("/5", **headers)
    (event,) = await gateway.events("request.ended", 1)
    ((told,),) = upstream.parents
    version, trace_id, span_id, flags = told.split("-")
    assert (version, trace_id, flags) == ("00", event["trace_id"], "00")
    assert span_id not in (CLIENT_SPAN, event["span_id"])
    assert (trace_id == TRACE_ID) == bool(headers)
    assert await exemplars(gateway) == {}
    await gateway.app.parts.tracing.export.close()
    assert collector.spans == []


async def test_ratio_of_one_records_what_the_client_does_not(traced, scripted, collector, until):
    upstream = await scripted()
    variables = {"OTEL_TRACES_SAMPLER": "always_on"}
    gateway = await traced(upstream.url, variables=variables)
    await gateway.get("/5", traceparent=PARENT[:-2] + "00")
    await until(lambda: collector.named("GET /{id}"), "the request's span")
    assert upstream.parents[0][0].endswith("-01")


async def test_failed_request_is_an_error_with_the_slug_of_its_problem(
    traced, collector, until, unused_tcp_port
):
    gateway = await traced(f"http://127.0.0.1:{unused_tcp_port}/{{id}}")
    answer = await gateway.get("/5")
    assert answer.status == 502
    await until(lambda: collector.named("GET /{id}"), "the request's span")
    (server,) = collector.named("GET /{id}")
    assert server.failed
    assert server.attributes["error.type"] == answer.slug == "upstream-error"
    assert server.attributes["http.response.status_code"] == 502
    assert server.attributes["docwarden.reason"] == "connect-failed"
    attempts = collector.named("GET")
    assert [span.attributes["error.type"] for span in attempts] == ["connect-failed"] * 3
    assert all("http.response.status_code" not in span.attributes for span in attempts)


async def test_what_a_client_wrote_is_in_no_span(traced, scripted, collector, until):
    gateway = await traced((await scripted(404)).url)
    await gateway.get("/sesame?open=sesame", User_Agent="sesame", Referer="sesame")
    await gateway.get("/5?open=sesame", method="PROPFIND", X_Request_ID="sesame with spaces")
    await gateway.get("/5", Range="sesame")
    await until(lambda: len(collector.spans) == 4, "four spans")
    assert not any(b"sesame" in body.lower() for _, body in collector.requests)
    (unknown, attempt), (method,), (document,) = map(
        collector.named, ("GET", "HTTP /{id}", "GET /{id}")
    )
    assert (unknown.kind, attempt.kind) == ("server", "client")
    assert "url.path" not in unknown.attributes
    assert method.attributes["http.request.method"] == "_OTHER"
    assert document.attributes["http.response.status_code"] == 404
    # The client's errors are none of the server's (semantic conventions, "Status").
    servers = [span for span in collector.spans if span.kind == "server"]
    assert not any(span.failed or "error.type" in span.attributes for span in servers)


async def test_client_that_left_is_no_error_and_its_attempt_is_cancelled(
    traced, scripted, collector, until
):
    upstream = await scripted(None)
    gateway = await traced(upstream.url)
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /5 HTTP/1.1\r\nHost: test\r\n\r\n")
    await until(lambda: upstream.heads, "the attempt")
    writer.transport.abort()
    await until(lambda: collector.named("GET /{id}"), "the request's span")
    (server,), (attempt,) = collector.named("GET /{id}"), collector.named("GET")
    assert server.attributes["docwarden.outcome"] == "client_closed"
    assert "http.response.status_code" not in server.attributes
    assert attempt.attributes["docwarden.cancelled"] is True
    assert not server.failed
    assert not attempt.failed


async def test_fetch_that_outlives_its_first_client_is_still_recorded(
    traced, scripted, collector, until
):
    upstream = await scripted(None)
    gateway = await traced(upstream.url, single_flight="true", attempt_timeout="1s")
    _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /5 HTTP/1.1\r\nHost: test\r\ntraceparent: %b\r\n\r\n" % PARENT.encode())
    await until(lambda: upstream.heads, "the attempt")
    second = asyncio.ensure_future(gateway.get("/5"))
    flight = gateway.app.parts.single_flight
    await until(lambda: flight.shared == 1, "the second client has joined")
    writer.transport.abort()
    assert (await second).status == 200
    await until(lambda: len(collector.named("GET /{id}")) == 2, "both requests' spans")
    assert [span.trace_id for span in collector.named("GET")] == [TRACE_ID] * 2
    other = next(s for s in collector.named("GET /{id}") if s.trace_id != TRACE_ID)
    assert other.attributes["docwarden.shared"] is True


async def test_health_page_is_not_traced(traced, scripted, collector, until):
    gateway = await traced((await scripted()).url)
    await gateway.get("/healthz")
    await gateway.get("/openapi.json")
    await until(lambda: collector.spans, "a span")
    assert [span.name for span in collector.spans] == ["GET /openapi.json"]


async def test_resource_is_described_by_the_standard_variables(traced, scripted, collector, until):
    variables = {"OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=trial,team=papers"}
    gateway = await traced((await scripted()).url, variables=variables)
    await gateway.get("/5")
    await until(lambda: collector.spans, "spans")
    resource = attributes_of(next(collector.resource_spans).resource)
    assert resource["service.name"] == "docwarden"
    assert resource["service.version"]
    assert resource["deployment.environment.name"] == "trial"
    assert resource["team"] == "papers"
    assert {path for path, _ in collector.requests} == {"/v1/traces"}


async def test_service_name_is_the_operators_if_given(traced, scripted, collector, until):
    variables = {"OTEL_SERVICE_NAME": "papers", "OTEL_RESOURCE_ATTRIBUTES": "service.version=7"}
    gateway = await traced((await scripted()).url, variables=variables)
    await gateway.get("/5")
    await until(lambda: collector.spans, "spans")
    resource = attributes_of(next(collector.resource_spans).resource)
    assert (resource["service.name"], resource["service.version"]) == ("papers", "7")


async def test_variable_that_is_ignored_is_told(traced, scripted):
    gateway = await traced((await scripted()).url, variables={"OTEL_TRACES_SAMPLER": "mostly"})
    (event,) = await gateway.events("tracing.setting_ignored", 1)
    assert "mostly" in event["reason"]


@pytest.mark.parametrize("answer", [None, 401, 503])
async def test_collector_that_takes_nothing_costs_only_a_counter(
    answer, serve_traced, collector, ask, unused_tcp_port
):
    collector.answer = answer
    url = collector.url if answer else f"http://127.0.0.1:{unused_tcp_port}"
    gateway = await serve_traced(OTEL_EXPORTER_OTLP_ENDPOINT=url)

    async def count(name):
        text = (await ask(gateway.admin_port, "/metrics")).body.decode()
        (value,) = re.findall(rf"^{name} (\S+)", text, re.MULTILINE)
        return float(value)

    asked = 0
    while await count("docwarden_trace_export_failures_total") < 3:
        assert (await ask(gateway.port, "/5")).status == 200
        asked += 1
        assert asked < 2000
    lost = await count("docwarden_trace_spans_lost_total")
    assert 3 <= lost <= 3 * asked
    started = time.monotonic()
    assert await gateway.stop(signal.SIGINT) == 0
    assert time.monotonic() - started < 4
    events = [json.loads(line) for line in gateway.output.read_text().splitlines()]
    (failed,) = [event for event in events if event["event.name"] == "tracing.export_failed"]
    assert failed["severity"] == "warning"
    assert (str(answer) if answer == 401 else "") in failed["reason"]
    assert failed["failures"] == 1
    assert gateway.output.with_suffix(".err").read_text() == ""


async def test_collector_that_hangs_does_not_hold_up_the_stop(serve_traced, collector, ask, until):
    collector.hangs = True
    gateway = await serve_traced(OTEL_EXPORTER_OTLP_TIMEOUT="60")
    assert (await ask(gateway.port, "/5")).status == 200
    await until(lambda: collector.requests, "a batch")
    started = time.monotonic()
    assert await gateway.stop(signal.SIGINT) == 0
    assert 1.5 < time.monotonic() - started < 5
    assert '"process.stopped"' in gateway.output.read_text()


async def test_stop_sends_what_is_still_queued(serve_traced, collector, ask):
    gateway = await serve_traced(OTEL_BSP_SCHEDULE_DELAY="60000")
    assert (await ask(gateway.port, "/5")).status == 200
    assert collector.spans == []
    assert await gateway.stop(signal.SIGINT) == 0
    assert len(collector.spans) == 3


@pytest.mark.parametrize("on", [False, True])
async def test_process_that_does_not_trace_has_nothing_of_opentelemetry_in_it(
    on, otel, serve_traced, ask
):
    gateway = await serve_traced({"PYTHONPROFILEIMPORTTIME": "1", **(otel if on else {})})
    assert (await ask(gateway.port, "/5")).status == 200
    assert await gateway.stop(signal.SIGINT) == 0
    imported = gateway.output.with_suffix(".err").read_text()
    assert "docwarden.tracing" in imported
    assert ("opentelemetry" in imported) == on


@pytest.mark.parametrize(
    ("variables", "missing", "says"),
    [
        ({}, True, "pip install 'docwarden[tracing]'"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, False, "OTEL_TRACES_EXPORTER is invalid"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, False, "http/protobuf"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "1"}, False, "max_export_batch_size"),
    ],
)
async def test_start_says_in_one_line_why_there_can_be_no_traces(variables, missing, says, otel):
    block = "sys.modules['opentelemetry'] = None; " if missing else ""
    code = f"import sys; {block}"
    code += "from docwarden.cli.main import main; sys.exit(main(sys.argv[1:]))"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, "serve", *ANY_PORT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **otel, **variables},
    )  # fmt: skip
    output, errors = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode == 2
    assert output == b""
    (line,) = errors.decode().splitlines()
    assert line.startswith("docwarden: ")
    assert says in line
