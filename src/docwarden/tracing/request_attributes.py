"""The attributes of the span of a request."""

from docwarden.core.fetch import FetchResult
from docwarden.core.request import Request

Attributes = dict[str, str | int | float | bool]


def attributes_of(request: Request, status: int) -> Attributes:
    """Return the attributes of a request that was answered with `status`, 0 if it was not."""
    attributes: Attributes = {
        "http.request.method": request.method_label,
        "url.scheme": "http",
        "client.address": request.client,
        "docwarden.request_id": request.request_id,
    }
    if status:
        attributes["http.response.status_code"] = status
    result = request.result
    if result.route != "unmatched":
        attributes["http.route"] = result.route
        attributes["url.path"] = request.path
    if result.outcome is not None:
        attributes["docwarden.outcome"] = result.outcome.value
    if result.media_type:
        attributes["docwarden.media_type"] = result.media_type
    failure = result.failure
    if failure is not None:
        attributes["docwarden.reason"] = failure.reason
        if failure.detail is not None:
            attributes["docwarden.detail"] = failure.detail.value
        if status >= 500:
            attributes["error.type"] = failure.rule.slug
    if result.fetch is not None and result.fetched is not None:
        attributes["docwarden.document_id"] = result.fetch.document_id
        _add_fetch(attributes, result.fetched)
    return attributes


def _add_fetch(attributes: Attributes, fetched: FetchResult) -> None:
    attributes["docwarden.attempts"] = len(fetched.attempts)
    if fetched.queue_seconds:
        attributes["docwarden.queue_ms"] = round(fetched.queue_seconds * 1000, 3)
    if fetched.shared:
        attributes["docwarden.shared"] = True
    if fetched.replaced is not None:
        attributes["docwarden.replaced_reason"] = fetched.replaced.reason
