"""Answers to clients: documents, problems and small pages, as header lines and bytes.

Header lines are one block of bytes, which the server sends as it is. Every value in it is made here
or was validated before.
"""

import base64
import hashlib
import html
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from docwarden.core.conditional import Span
from docwarden.core.document import Document, Lease, release
from docwarden.core.errors import Failure
from docwarden.core.fetch import FetchResult
from docwarden.net.write_batch import Bytes

# Scripts never run; images and the viewers that browsers build in for PDF keep working.
_DOCUMENT_POLICY: Final = (
    b"default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; object-src 'self';"
    b" frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)
_DOCUMENT_HEADERS: Final = (
    b"Accept-Ranges: bytes\r\n"
    b"Cache-Control: private, no-cache\r\n"
    b"Content-Security-Policy: " + _DOCUMENT_POLICY + b"\r\n"
    b"Cross-Origin-Resource-Policy: same-origin\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
)
_TIMING_AND_ID: Final = b"Server-Timing: upstream;dur=%.2f, verify;dur=%.2f\r\n%b"
_DOCUMENT: Final = (
    b"Content-Type: %b\r\nContent-Length: %d\r\nETag: %b\r\n"
    b'Content-Disposition: inline; filename="%b.%b"\r\n' + _TIMING_AND_ID
)
_NOT_MODIFIED: Final = b"ETag: %b\r\n" + _TIMING_AND_ID
_PAGE: Final = (
    b"Content-Type: %b\r\nContent-Length: %d\r\nCache-Control: no-store\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
)
_PROBLEM_POLICY: Final = (
    b"Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none';"
    b" frame-ancestors 'self'\r\n"
)
_PROBLEM_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
</head>
<body>
<h1>{title}</h1>
<p>{detail}</p>
<dl>
<dt>Status</dt><dd>{status}</dd>
<dt>Reason</dt><dd>{reason}</dd>
<dt>Path</dt><dd>{instance}</dd>
<dt>Attempts</dt><dd>{attempts}</dd>
<dt>Request</dt><dd>{request_id}</dd>
<dt>Type</dt><dd>{type}</dd>
</dl>
</body>
</html>
"""


@dataclass(slots=True, eq=False)
class Response:
    """One answer.

    Attributes:
        status: HTTP status.
        fields: header lines, each ended by CR LF, Content-Length among them unless `stream` is set.
        body: the bytes to send; none for HEAD and 304.
        lease: memory that `body` holds; the server releases it when the kernel has the bytes.
        stream: pieces to send instead of `body`, of unknown number (server-sent events).
    """

    status: int
    fields: bytes
    body: Bytes = b""
    lease: Lease | None = None
    stream: AsyncIterator[bytes] | None = None


def document(
    document: Document,
    document_id: str,
    fetched: FetchResult,
    id_line: bytes,
    span: Span | None,
) -> Response:
    """Return a document, or the `span` of it, as 200 or 206."""
    body = document.body
    size = len(body)
    fields = _DOCUMENT % (
        document.media_type.encode(),
        size if span is None else span.length,
        document.etag,
        document_id.encode(),
        document.extension,
        fetched.upstream_seconds * 1e3,
        fetched.verify_seconds * 1e3,
        id_line,
    )
    fields += _DOCUMENT_HEADERS  # not in the pattern: CPython formats over 512 bytes more slowly
    if document.age is not None:
        fields += _age(document.age)
    if span is None:
        return Response(200, fields, body, document.lease)
    fields += b"Content-Range: bytes %d-%d/%d\r\n" % (*span, size)
    piece: Bytes = memoryview(body)[span.first : span.last + 1]
    lease = document.lease
    if span.length <= size // 2:
        # A view would keep the whole document alive while the client reads.
        piece = bytes(piece)
        lease = lease.exchange(len(piece)) if lease is not None else None
    return Response(206, fields, piece, lease)


def not_modified(document: Document, fetched: FetchResult, id_line: bytes) -> Response:
    """Return 304 for a document that the client already has."""
    fields = _NOT_MODIFIED % (
        document.etag,
        fetched.upstream_seconds * 1e3,
        fetched.verify_seconds * 1e3,
        id_line,
    )
    fields += _DOCUMENT_HEADERS
    if document.age is not None:
        fields += _age(document.age)
    release(document)
    return Response(304, fields)


def _age(seconds: float) -> bytes:
    """Return Age and Cache-Status (RFC 9211) for a copy from the store."""
    age = max(0, int(seconds))
    return b"Age: %d\r\nCache-Status: docwarden; hit; detail=stale-if-error\r\n" % age


def repr_digest(document: Document, algorithm: str) -> bytes:
    """Return the Repr-Digest line of a document (RFC 9530 section 3)."""
    digest = hashlib.new(algorithm.replace("-", ""), document.body).digest()
    return b"Repr-Digest: %b=:%b:\r\n" % (algorithm.encode(), base64.b64encode(digest))


def problem(  # noqa: PLR0913 - the members of a problem (RFC 9457 section 3.1) and its headers
    failure: Failure,
    *,
    instance: str,
    request_id: str,
    attempts: int,
    retry_after: int | None = None,
    extra: bytes = b"",
    as_html: bool = False,
) -> Response:
    """Return a failure as `application/problem+json` (RFC 9457), or as a page for people."""
    rule = failure.rule
    members = {
        "type": f"urn:docwarden:problem:{rule.slug}",
        "title": rule.title,
        "status": rule.status,
        "detail": rule.detail,
        "instance": instance,
        "request_id": request_id,
        "reason": failure.reason,
        "attempts": attempts,
    }
    if as_html:
        body = _problem_page(members)
        fields = _PAGE % (b"text/html; charset=utf-8", len(body)) + _PROBLEM_POLICY
    else:
        body = orjson.dumps(members)
        fields = _PAGE % (b"application/problem+json", len(body))
    fields += b"Vary: Accept\r\nX-Request-ID: %b\r\n" % request_id.encode()
    if retry_after is not None:
        fields += b"Retry-After: %d\r\n" % retry_after
    return Response(rule.status, fields + extra, body)


def _problem_page(members: Mapping[str, object]) -> bytes:
    """Return the members of a problem as HTML, each value escaped."""
    shown = {name: html.escape(str(value)) for name, value in members.items()}
    return _PROBLEM_PAGE.format_map(shown).encode()


def page(body: bytes, media_type: bytes, *, status: int = 200, extra: bytes = b"") -> Response:
    """Return a small page that is never cached."""
    return Response(status, _PAGE % (media_type, len(body)) + extra, body)


def options() -> Response:
    """Return the allowed methods (RFC 9110 section 9.3.7); some load balancers ask."""
    return Response(204, b"Allow: GET, HEAD\r\n")


def without_body(response: Response) -> Response:
    """Turn the answer to GET into that to HEAD (RFC 9110 section 9.3.2)."""
    drop(response)
    return response


def drop(response: Response) -> None:
    """Drop the body of an answer, and release its lease."""
    response.body = b""
    if response.lease is not None:
        response.lease.release()
        response.lease = None
