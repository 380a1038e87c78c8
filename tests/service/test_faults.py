"""Each fault of the simulator, through the real gateway: what the client, log and metrics tell."""

from dataclasses import dataclass

import pytest

from docwarden.simulator.faults.table import FAULTS

DEADLINE = 1.5
SLACK = 0.5
SETTINGS = {
    "request_timeout": "1500ms",
    "attempt_timeout": "300ms",
    "connect_timeout": "200ms",
    "max_document_bytes": "1MiB",
}
# Words that the simulator's error pages hold and that must never reach a client.
LEAKS = (b"Traceback", b"password", b"hunter2", b"<html")


@dataclass(frozen=True)
class Row:
    """What is expected of one fault: of the client, the attempts' results, and the metrics."""

    path: str
    status: int
    slug: str | None = None
    reason: str | None = None
    result: str = "intact"
    attempts: int = 1
    outcome: str = "delivered"

    @property
    def fault(self) -> str:
        return self.path.split("/")[2]


def corrupt(path: str, reason: str) -> Row:
    return Row(path, 502, "document-corrupt", reason, "corrupt", 4, "corrupt")


def unsupported(path: str, reason: str) -> Row:
    slug = "document-type-unsupported"
    return Row(path, 502, slug, reason, "unsupported-type", 4, "unsupported")


def failed(path: str, reason: str, result: str, attempts: int = 3) -> Row:
    return Row(path, 502, "upstream-error", reason, result, attempts, "upstream_error")


def late(path: str, attempts: int = 3) -> Row:
    reason = "attempt-timeout"
    return Row(path, 504, "deadline-exceeded", reason, reason, attempts, "timeout")


def too_large(path: str) -> Row:
    reason = "body-too-large"
    return Row(path, 502, "document-too-large", reason, reason, 1, "too_large")


TABLE = [
    failed("/fault/status/503/{id}", "upstream-status-503", "upstream-status"),
    failed("/fault/status/500/{id}", "upstream-status-500", "upstream-status"),
    failed("/fault/status/403/{id}", "upstream-status-403", "upstream-status-final", 1),
    failed("/fault/status/206/{id}", "upstream-status-206", "upstream-status-final", 1),
    # A 204 has no body (RFC 9110 section 15.3.5), so the error page is bytes after the answer.
    corrupt("/fault/status/204/{id}", "bytes-after-body"),
    Row("/fault/not-found/{id}", 404, "document-not-found", "upstream-not-found",
        "upstream-not-found", 1, "not_found"),
    Row("/fault/gone/{id}", 404, "document-not-found", "upstream-not-found",
        "upstream-not-found", 1, "not_found"),
    failed("/fault/too-many/{id}", "upstream-status-429", "upstream-status"),
    failed("/fault/redirect/{id}", "upstream-status-302", "upstream-status-final", 1),
    unsupported("/fault/html/{id}", "html-instead"),
    unsupported("/fault/html-as-document/{id}", "html-instead"),
    unsupported("/fault/json/{id}", "text-instead"),
    corrupt("/fault/empty/{id}", "empty-body"),
    corrupt("/fault/zeros/{id}", "zeros-instead"),
    Row("/fault/wrong-type/{id}", 200),
    corrupt("/fault/gzip/{id}", "content-coded"),
    unsupported("/fault/gzip-unlabelled/{id}", "type-unknown"),
    corrupt("/fault/flip/{id}.png", "png-crc-mismatch"),
    corrupt("/fault/mangle-utf8/{id}", "pdf-startxref-wrong"),
    corrupt("/fault/mangle-crlf/{id}", "pdf-startxref-wrong"),
    corrupt("/fault/mangle-latin1/{id}", "pdf-startxref-wrong"),
    Row("/fault/junk-after/{id}", 200),
    Row("/fault/junk-before/{id}", 200),
    corrupt("/fault/cut/{id}", "end-missing"),
    corrupt("/fault/length-short/{id}", "bytes-after-body"),
    corrupt("/fault/length-long/{id}", "body-truncated"),
    Row("/fault/close-delimited/{id}", 200),
    Row("/fault/chunked/{id}", 200),
    corrupt("/fault/chunked-cut/{id}", "body-truncated"),
    failed("/fault/bad-chunk/{id}", "protocol-violation", "protocol-violation"),
    too_large("/fault/endless-chunked/{id}"),
    failed("/fault/endless-headers/{id}", "head-too-large", "protocol-violation"),
    failed("/fault/huge-header/1MiB/{id}", "head-too-large", "protocol-violation"),
    failed("/fault/many-headers/1000/{id}", "head-too-large", "protocol-violation"),
    too_large("/fault/oversize/2MiB/{id}"),
    too_large("/fault/oversize-undeclared/2MiB/{id}"),
    failed("/fault/garbage/{id}", "protocol-violation", "protocol-violation"),
    failed("/fault/bad-status-line/{id}", "protocol-violation", "protocol-violation"),
    failed("/fault/conflicting-lengths/{id}", "protocol-violation", "protocol-violation"),
    failed("/fault/length-and-chunked/{id}", "protocol-violation", "protocol-violation"),
    Row("/fault/continue/{id}", 200),
    Row("/fault/early-hints/{id}", 200),
    failed("/fault/early-hints/100/{id}", "endless-informational", "protocol-violation"),
    Row("/fault/delay/100ms/{id}", 200),
    late("/fault/delay/5s/{id}"),
    late("/fault/hang/{id}"),
    late("/fault/hang-body/{id}"),
    late("/fault/drip/100/{id}"),
    late("/fault/drip-headers/10/{id}"),
    corrupt("/fault/truncate/{id}", "body-truncated"),
    failed("/fault/disconnect/{id}", "connection-lost", "connection-lost"),
    failed("/fault/reset/{id}", "connection-lost", "connection-lost"),
    failed("/fault/reset-body/{id}", "connection-lost", "connection-lost"),
    failed("/fault/refuse/10s/{id}", "connect-failed", "connect-failed"),
    Row("/fault/early-close/{id}", 200),
    Row("/fault/stale/{id}", 200),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.path)
async def test_fault_ends_in_time_with_its_answer(row, start_gateway, simulator):
    # What is refused here is refused before the deep checks.
    tier = "3" if row.status == 200 else "2"
    gateway = await start_gateway(simulator.url + row.path, integrity_tier=tier, **SETTINGS)
    answer = await gateway.get("/7")

    assert answer.status == row.status
    assert answer.seconds < DEADLINE + SLACK
    assert not any(leak in answer.body for leak in LEAKS)
    if row.slug is not None:
        assert answer.slug == row.slug
        assert answer.problem["reason"] == row.reason
        assert answer.problem["attempts"] == row.attempts
        assert answer.headers["cache-control"] == "no-store"
    (event,) = await gateway.events("request.ended", 1)
    assert event["http.response.status_code"] == row.status
    assert event["outcome"] == row.outcome
    assert event.get("reason") == row.reason
    assert len(event["attempts"]) == row.attempts
    metrics = await gateway.metrics()
    assert metrics[f'docwarden_documents_total{{outcome="{row.outcome}"}}'] == 1
    assert metrics[f'docwarden_upstream_attempts_total{{result="{row.result}"}}'] >= 1
    assert metrics["docwarden_buffered_bytes"] == 0
    assert metrics["docwarden_requests_in_flight"] == 0
    assert (await gateway.admin("/livez")).status == 200
    assert (await gateway.admin("/readyz")).status == 200


def test_table_covers_every_fault():
    assert {row.fault for row in TABLE} == set(FAULTS)
