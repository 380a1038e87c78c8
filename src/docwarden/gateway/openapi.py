"""The public interface in OpenAPI 3.1, and the index page that points to it."""

from typing import Any, Final

import orjson

from docwarden import __version__
from docwarden.core.errors import RULES, Cause
from docwarden.integrity.registry import MEDIA_TYPES

_DOCUMENT_CAUSES: Final = tuple(
    cause
    for cause in Cause
    if cause not in (Cause.NO_SUCH_PAGE, Cause.CLIENT_CLOSED, Cause.HEAD_TIMEOUT)
)
_HEADERS: Final = {
    "ETag": "Strong entity tag of the bytes.",
    "Content-Disposition": "inline, with a file name made of id and type.",
    "Server-Timing": "Milliseconds spent waiting for the upstream and on verification.",
    "X-Request-ID": "The request id: the client's own if it was well-formed.",
    "X-Content-Type-Options": "nosniff",
}
_RETRY_AFTER: Final = {
    "description": "Seconds after which to retry, with jitter.",
    "schema": {"type": "integer", "minimum": 1},
}
_BUSY: Final = 503
_REQUEST_HEADERS: Final = {
    "If-None-Match": "Entity tags that the client holds; 304 if the document is one of them.",
    "If-Match": "Entity tags; 412 unless the document has one of them.",
    "Range": "One range of bytes, such as bytes=0-1023.",
    "If-Range": "The entity tag to which Range applies; otherwise the whole document is sent.",
    "Want-Repr-Digest": "sha-256 or sha-512, with a preference from 1 to 10 (RFC 9530).",
    "X-Request-ID": "An id for this request, 1 to 128 letters, digits, dots, dashes, underscores.",
    "traceparent": "The client's trace context (W3C Trace Context).",
}


def _problems() -> dict[str, Any]:
    """Return the answers that are problems, by status."""
    slugs: dict[int, list[str]] = {}
    for cause in _DOCUMENT_CAUSES:
        rule = RULES[cause]
        if rule.slug not in slugs.setdefault(rule.status, []):
            slugs[rule.status].append(rule.slug)
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        str(status): {
            "description": ", ".join(names),
            "content": {"application/problem+json": problem, "text/html": {}},
            **({"headers": {"Retry-After": _RETRY_AFTER}} if status == _BUSY else {}),
        }
        for status, names in sorted(slugs.items())
    }


def _document_operation(method: str) -> dict[str, Any]:
    headers = {
        name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()
    }
    whole = {
        "description": "The intact document.",
        "headers": headers,
        "content": {
            each: {"schema": {"type": "string", "format": "binary"}} for each in MEDIA_TYPES
        },
    }
    answers: dict[str, Any] = {"200": whole, "304": {"description": "The client already has it."}}
    if method == "get":
        answers["206"] = {**whole, "description": "The requested part of the document."}
    return {
        "operationId": f"{method}Document",
        "summary": "Fetch a document; it is delivered only if it is intact.",
        "parameters": [
            {
                "name": "id",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "pattern": "^(0|[1-9][0-9]{0,18})$"},
            },
            *(
                {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}
                for name, text in _REQUEST_HEADERS.items()
            ),
        ],
        "responses": {**answers, **_problems()},
    }


def _page(summary: str, media_type: str, *statuses: str) -> dict[str, Any]:
    content: dict[str, Any] = {media_type: {}}
    return {
        "get": {
            "summary": summary,
            "responses": {
                status: {"description": summary, "content": content} for status in statuses
            },
        }
    }


def _description() -> dict[str, Any]:
    texts = ("type", "title", "detail", "instance", "request_id", "reason")
    properties: dict[str, Any] = {name: {"type": "string"} for name in texts}
    properties["status"] = {"type": "integer"}
    properties["attempts"] = {"type": "integer", "minimum": 0}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "docwarden",
            "version": __version__,
            "summary": "Intact documents from an upstream that cannot be trusted.",
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/{id}": {"get": _document_operation("get"), "head": _document_operation("head")},
            "/healthz": _page(
                "Whether this instance accepts requests.", "application/json", "200", "503"
            ),
            "/openapi.json": _page("This description.", "application/json", "200"),
            "/": _page("An index page.", "text/html", "200"),
        },
        "components": {
            "schemas": {
                "Problem": {
                    "type": "object",
                    "properties": properties,
                    "required": sorted(properties),
                    "additionalProperties": False,
                }
            }
        },
    }


DESCRIPTION: Final = orjson.dumps(_description())
INDEX: Final = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>docwarden</title>
</head>
<body>
<h1>docwarden</h1>
<p>A document gateway that delivers only intact documents.</p>
<ul>
<li><a href="/529852">/529852</a>: a document, by its id</li>
<li><a href="/healthz">/healthz</a>: whether this instance accepts requests</li>
<li><a href="/openapi.json">/openapi.json</a>: the interface</li>
</ul>
</body>
</html>
"""
