"""When traces are asked for, what is counted when they cannot be sent, and what logging sees."""

import logging
import random
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from docwarden.core.errors import Cause, Failure
from docwarden.core.request import Request
from docwarden.integrity.formats.png_checks import PngReason
from docwarden.tracing import open_tracing
from docwarden.tracing.environment import TracingError, is_asked_for
from docwarden.tracing.export import CountedExporter, SpanExport
from docwarden.tracing.library_log import LibraryLog
from docwarden.tracing.recorder import Recorder
from docwarden.tracing.tracer import Tracing

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
URL = "http://collector:4318"
# The exporter only counts them.
SPAN: Any = None
NO_LIBRARY: Any = None


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({}, False),
        ({ENDPOINT: ""}, False),
        ({ENDPOINT: URL}, True),
        ({TRACES_ENDPOINT: f"{URL}/v1/traces"}, True),
        ({ENDPOINT: URL, "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({ENDPOINT: URL, "OTEL_SDK_DISABLED": "false"}, True),
        ({ENDPOINT: URL, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({ENDPOINT: URL, "OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({ENDPOINT: URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
        ({"OTEL_SERVICE_NAME": "papers", "OTEL_TRACES_SAMPLER": "always_on"}, False),
        ({"OTEL_TRACES_EXPORTER": "zipkin", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_traces_are_made_when_the_standard_variables_ask_for_them(environ, asked):
    assert is_asked_for(environ) is asked


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"OTEL_TRACES_EXPORTER": "console"}, "OTEL_TRACES_EXPORTER"),
        ({ENDPOINT: "user:secret@collector"}, ENDPOINT),
        ({TRACES_ENDPOINT: "grpc://secret@collector", ENDPOINT: URL}, TRACES_ENDPOINT),
        ({ENDPOINT: URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL"),
        (
            {
                ENDPOINT: URL,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json",
            },
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
        ),
    ],
)
def test_variable_that_cannot_be_obeyed_is_named_without_its_value(environ, name):
    with pytest.raises(TracingError, match=f"^{name} is invalid: expected ") as caught:
        is_asked_for(environ)
    assert "secret" not in str(caught.value)


def test_nothing_is_opened_when_nothing_is_asked_for(events):
    opened = open_tracing({}, upstream_url="http://u/{id}", log=events, random=random.Random(1))
    assert opened is None


class Events:
    """Takes the place of the log."""

    def __init__(self):
        self.seen = []

    def event(self, level, name, message, **fields):
        assert message
        self.seen.append((level, name, fields))


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def library():
    library = LibraryLog()
    yield library
    library.close()


class Inner:
    """An exporter that answers as told, and says so as OpenTelemetry's does."""

    def __init__(self):
        self.answers = []
        self.stopped = False

    def export(self, spans):
        del spans
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer is SpanExportResult.FAILURE:
            logger = logging.getLogger("opentelemetry.exporter.test")
            logger.warning("Transient error %s", "refused")
            logger.error("Gave up")
        return answer

    def shutdown(self):
        self.stopped = True


def test_batches_that_fail_are_counted_and_told_once_a_minute(events, library):
    now = [0.0]
    inner: Any = Inner()
    exporter = CountedExporter(inner, library, events, lambda: now[0])
    inner.answers = [SpanExportResult.SUCCESS, *[SpanExportResult.FAILURE] * 4]
    for at in (0.0, 1.0, 2.0, 60.9, 61.1):
        now[0] = at
        exporter.export([SPAN, SPAN])
    assert (exporter.handed, exporter.failures, exporter.lost) == (10, 4, 8)
    reason = "Transient error refused / Gave up"
    assert events.seen == [
        ("warning", "tracing.export_failed", {"reason": reason, "failures": f, "spans_lost": n})
        for f, n in ((1, 2), (4, 8))
    ]


def test_exporter_that_raises_is_a_failed_batch(events, library):
    inner: Any = Inner()
    inner.answers = [RuntimeError("x" * 5000)]
    exporter = CountedExporter(inner, library, events, lambda: 0.0)
    assert exporter.export([SPAN]) is SpanExportResult.FAILURE
    assert exporter.failures == 1
    ((_, _, fields),) = events.seen
    assert fields["reason"].startswith("RuntimeError: xxx")
    assert len(fields["reason"]) == 300


def test_libraries_speak_to_nobody_else_and_only_exporters_while_serving(capfd):
    library = LibraryLog()
    logging.getLogger("opentelemetry.sdk.trace.sampling").warning("before")
    library.only_exporters()
    logging.getLogger("opentelemetry.trace.span").error("of a header")
    logging.getLogger("opentelemetry.exporter.otlp").error("of a batch")
    assert list(library.messages) == ["before", "of a batch"]
    library.close()
    logger = logging.getLogger("opentelemetry")
    assert (logger.level, logger.handlers) == (logging.NOTSET, [])
    assert logging.getLogger("opentelemetry.exporter").level == logging.NOTSET
    assert capfd.readouterr() == ("", "")


class Processor:
    """Takes the place of the SDK's batches."""

    def __init__(self):
        self.spans = []

    def on_end(self, span):
        self.spans.append(span)


@pytest.fixture
def processor():
    return Processor()


@pytest.fixture
def exporter():
    return SimpleNamespace(handed=0, failures=0, lost=0)


@pytest.fixture
def tracing(processor, exporter):
    export = SpanExport(exporter, processor, NO_LIBRARY, resource=Resource({}), queue=4)
    return tracing_to(export, "https://user:secret@[2001:db8::1]:8443/doc/{id}?key=secret")


def tracing_to(export, upstream_url):
    recorder = Recorder(export=export, upstream_url=upstream_url, random=random.Random(1))
    return Tracing(sampler=ALWAYS_ON, recorder=recorder)


def request_with(**headers):
    given = {name.encode(): value for name, value in headers.items()}
    return Request(
        "GET", "/5", given, client="192.0.2.1", started=100.0, wall=1.5e9, random=random.Random(2)
    )


def test_spans_that_find_the_queue_full_are_lost_and_counted(tracing, processor, exporter):
    request = request_with()
    tracing.begin(request)
    for _ in range(3):
        attempt = request.trace.attempt("5")
        attempt.end(100.0, 100.5, 101.0, recalled=False, intact=True)
    assert (len(processor.spans), tracing.export.lost) == (4, 2)
    exporter.handed, exporter.lost = 4, 1
    request.trace.end(request, 200, 1.0)
    assert (len(processor.spans), tracing.export.lost) == (5, 3)


def test_url_of_an_attempt_has_neither_credentials_nor_query(tracing, processor):
    request = request_with()
    tracing.begin(request)
    request.trace.attempt("5").end(100.0, 100.25, 100.25, recalled=None, intact=True)
    (span,) = processor.spans
    assert span.attributes["url.full"] == "https://[2001:db8::1]:8443/doc/5"
    assert span.attributes["server.address"] == "2001:db8::1"
    assert span.attributes["server.port"] == 8443


@pytest.mark.parametrize(
    ("url", "port", "shown"),
    [("http://u/{id}", 80, "http://u/5"), ("https://u", 443, "https://u/")],
)
def test_port_is_the_schemes_where_none_is_given(url, port, shown, tracing, processor):
    plain = tracing_to(tracing.export, url)
    request = request_with()
    plain.begin(request)
    request.trace.attempt("5").end(100.0, 100.25, 100.25, recalled=None, intact=True)
    (span,) = processor.spans
    assert (span.attributes["server.port"], span.attributes["url.full"]) == (port, shown)


def test_times_are_those_of_the_request_on_the_wall_clock(tracing, processor):
    request = request_with()
    tracing.begin(request)
    attempt = request.trace.attempt("5")
    attempt.end(100.5, 100.75, 101.25, recalled=True, intact=True)
    request.trace.end(request, 200, 2.0)
    base = 1_500_000_000_000_000_000
    assert [(span.start_time - base, span.end_time - base) for span in processor.spans] == [
        (750_000_000, 1_250_000_000),
        (500_000_000, 1_250_000_000),
        (0, 2_000_000_000),
    ]


def test_verification_that_failed_has_the_finding(tracing, processor):
    request = request_with()
    tracing.begin(request)
    attempt = request.trace.attempt("5")
    attempt.failure = Failure(Cause.CORRUPT, PngReason.CRC_MISMATCH, media_type="image/png")
    attempt.end(100.0, 100.5, 101.0, recalled=True, intact=False)
    verify, client = processor.spans
    found = {
        "error.type": "corrupt",
        "docwarden.reason": "png-crc-mismatch",
        "docwarden.refused_media_type": "image/png",
    }
    assert verify.attributes == {"docwarden.recalled": True, **found}
    assert found.items() <= client.attributes.items()
    assert verify.parent == client.context


def test_request_id_is_sent_upstream_beside_the_attempts_own_context(tracing):
    request = request_with(
        traceparent=b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        tracestate=b"vendor=1",
        **{"x-request-id": b"r-1"},
    )
    tracing.begin(request)
    assert request.forward == b"X-Request-ID: r-1\r\ntracestate: vendor=1\r\n"
    headers = {request.trace.attempt("5").header for _ in range(100)}
    assert len(headers) == 100
    assert all(h.startswith(b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-") for h in headers)


@pytest.mark.parametrize("state", [b"no member", b"=", b"vendor=1,vendor=2"])
def test_tracestate_that_breaks_its_rules_is_not_passed_on(state, tracing):
    parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    request = request_with(traceparent=parent, tracestate=state)
    tracing.begin(request)
    assert request.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert b"tracestate" not in request.forward


@pytest.mark.parametrize(("flags", "recorded"), [(b"00", False), (b"01", True), (b"02", False)])
def test_exemplar_without_tracing_is_of_a_trace_that_the_client_records(flags, recorded):
    parent = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-" + flags
    request = request_with(traceparent=parent)
    assert request.trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert request.exemplar == (request.trace_id if recorded else "")
