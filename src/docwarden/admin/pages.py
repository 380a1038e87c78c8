"""What the operator's pages of one process and of several workers have in common."""

import math
import platform
from typing import Any, Final

import orjson
from prometheus_client.registry import CollectorRegistry

from docwarden import __version__
from docwarden.core import responses
from docwarden.core.errors import Cause, Failure
from docwarden.core.request import Request
from docwarden.core.responses import Response
from docwarden.telemetry.metrics import exposition

JSON: Final = b"application/json"


def refusal(request: Request, failure: Failure, *, allow: bytes = b"GET, HEAD") -> Response:
    """Return the problem for `failure`; `allow` names the methods of the page."""
    return responses.problem(
        failure,
        instance=request.instance,
        request_id=request.request_id,
        attempts=0,
        retry_after=None if failure.retry_after is None else math.ceil(failure.retry_after),
        extra=b"Allow: %b\r\n" % allow if failure.cause is Cause.METHOD else b"",
    )


def health(body: dict[str, Any], *, ok: bool) -> Response:
    """Return a health page: 200 when `ok`, else 503."""
    return responses.page(orjson.dumps(body), JSON, status=200 if ok else 503)


def metrics(request: Request, registry: CollectorRegistry) -> Response:
    """Return the metrics of `registry` in the format that the client accepts."""
    return responses.page(*exposition(registry, request.headers.get(b"accept", b"")))


def version(revision: str) -> Response:
    """Return the page that names the build."""
    body = {"version": __version__, "revision": revision, "python": platform.python_version()}
    return responses.page(orjson.dumps(body), JSON)
