"""One request of a client, from its head to the end of its answer, independent of the server."""

import re
from random import Random
from typing import Final, Protocol

from docwarden.core.errors import Failure, Outcome
from docwarden.core.fetch import AttemptSpans, Fetch, FetchResult
from docwarden.core.responses import Response

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}")
# W3C Trace Context section 3.2: version 00; all-zero ids are invalid.
_TRACEPARENT: Final = re.compile(
    rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
)
# Section 3.2.2.5: this bit of the flags says that the trace is recorded.
_SAMPLED: Final = 0x01
_TRACESTATE: Final = re.compile(rb"[\x20-\x7e]{1,512}")
_PRINTABLE_PATH: Final = re.compile(r"/[A-Za-z0-9._~/-]{0,127}")
_METHODS: Final = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT")
)


READ_FIELDS: Final = frozenset(
    (
        b"accept", b"expect", b"host", b"if-match", b"if-none-match", b"if-range", b"origin",
        b"range", b"sec-fetch-site", b"traceparent", b"tracestate", b"user-agent",
        b"want-repr-digest", b"x-request-id",
    )
)  # fmt: skip
"""Header fields that are read anywhere here. Servers drop all others but those that settings add,
as queued requests would hold them."""


class RequestTrace(AttemptSpans, Protocol):
    """The part of a trace that is one request; `tracing` creates it.

    Attributes:
        id: of the trace, 32 hexadecimal digits.
        span_id: of the request's own span, 16 hexadecimal digits.
        sampled: whether its spans are recorded.
    """

    id: str
    span_id: str
    sampled: bool

    def end(self, request: "Request", status: int, seconds: float) -> None:
        """Record the request, answered with `status` (0 if not at all) after `seconds`."""
        ...


class RequestResult:
    """The result of a request; written by the public site only.

    Attributes:
        route: the route that answered, for labels.
        fetch: the fetch that it caused, if any.
        fetched: the result of that, so far.
        outcome: how a document request ended, None for other pages.
        failure: why it failed, if it did.
        media_type: of what was delivered.
    """

    __slots__ = ("failure", "fetch", "fetched", "media_type", "outcome", "route")

    def __init__(self) -> None:
        self.route = "unmatched"
        self.fetch: Fetch | None = None
        self.fetched: FetchResult | None = None
        self.outcome: Outcome | None = None
        self.failure: Failure | None = None
        self.media_type = ""

    @property
    def attempts(self) -> int:
        """How many attempts have ended."""
        return len(self.fetched.attempts) if self.fetched is not None else 0


class Request:
    """A request of a client.

    Attributes:
        method: as sent.
        method_label: the same as a bounded label (OpenTelemetry: unknown ones are `_OTHER`).
        path: the target's path as sent, undecoded, without the query.
        headers: values of `READ_FIELDS` and those that settings add by lower-case name; repeated
            ones joined with a comma.
        client: address of the client, as far as known; initially that of the peer.
        peer: address of the peer, which may be a proxy, without its port and zone.
        started: monotonic seconds of the head's end, or of the end of the answer before it on its
            connection if that is later.
        wall: epoch seconds of the same moment.
        request_id: the client's own if it is valid, else a new one.
        id_line: the header line that says it.
        trace_id: of the trace that the request is part of, or empty: with tracing off, of the
            client's traceparent.
        exemplar: the same if the trace is recorded, else empty.
        parent: trace id, span id, flags and state of the client's trace context, if it is valid.
        trace: the spans of this request, None with tracing off.
        forward: header lines to send to the upstream with every attempt.
        result: its result.
    """

    __slots__ = (
        "client", "exemplar", "forward", "headers", "id_line", "method", "method_label", "parent",
        "path", "peer", "request_id", "result", "started", "trace", "trace_id", "wall",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913, PLR0917 - from the request line and the connection
        self,
        method: str,
        path: str,
        headers: dict[bytes, bytes],
        client: str,
        started: float,
        wall: float,
        random: Random,
    ) -> None:
        self.method = method
        self.method_label = method if method in _METHODS else "_OTHER"
        self.path = path
        self.headers = headers
        self.client = self.peer = client
        self.started = started
        self.wall = wall
        self.result = RequestResult()
        given = headers.get(b"x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            self.request_id = given.decode("ascii")
        else:
            self.request_id = random.getrandbits(128).to_bytes(16).hex()
        self.trace_id = ""
        self.exemplar = ""
        self.parent: tuple[bytes, bytes, bytes, bytes] | None = None
        self.trace: RequestTrace | None = None
        self.id_line = self.forward = b"X-Request-ID: " + self.request_id.encode() + b"\r\n"
        parent = headers.get(b"traceparent")
        if parent is not None:
            self._join_trace(parent)

    def _join_trace(self, parent: bytes) -> None:
        match = _TRACEPARENT.fullmatch(parent)
        if match is None:
            return
        self.trace_id = match[1].decode("ascii")
        if int(match[3], 16) & _SAMPLED:
            self.exemplar = self.trace_id
        self.forward += b"traceparent: %b\r\n" % parent
        state = self.headers.get(b"tracestate", b"")
        if not _TRACESTATE.fullmatch(state):
            state = b""
        if state:
            self.forward += b"tracestate: %b\r\n" % state
        self.parent = (match[1], match[2], match[3], state)

    def carry(self, trace: RequestTrace, state: str) -> None:
        """Join `trace`; attempts then pass the tracestate `state` on to the upstream."""
        self.trace = trace
        self.trace_id = trace.id
        self.exemplar = trace.id if trace.sampled else ""
        self.forward = self.id_line
        if state:
            self.forward += b"tracestate: %b\r\n" % state.encode("ascii")

    @property
    def instance(self) -> str:
        """The path if it is short and plain, else `/`; safe to repeat in answers and logs."""
        return self.path if _PRINTABLE_PATH.fullmatch(self.path) else "/"


def address_of(peer: object) -> str:
    """Return a peer's address without port and zone, which may be any text (RFC 4007)."""
    return str(peer[0]).partition("%")[0] if isinstance(peer, tuple) else "unix"


class Handler(Protocol):
    """What a server serves: the public pages or the operator's."""

    async def handle(self, request: Request) -> Response:
        """Answer a request. Raises nothing but `CancelledError`, when the client is gone."""
        ...

    def refuse(self, request: Request, failure: Failure) -> Response:
        """Return the answer to a request that the server refuses."""
        ...

    def on_finished(self, request: Request, response: Response | None, sent: int) -> None:
        """Called when the answer was sent, or the client is gone (no `response`, or cut off).

        Args:
            request: what `handle` was given.
            response: the answer, or None when the client left before there was one.
            sent: bytes of the body handed to the client's connection; -1 when it was cut off.
        """
        ...
