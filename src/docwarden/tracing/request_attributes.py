"""What the span of a request says of it."""

from docwarden.core.fetch import Wanted
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
    if request.route != "unmatched":
        attributes["http.route"] = request.route
        attributes["url.path"] = request.path
    if request.outcome is not None:
        attributes["docwarden.outcome"] = request.outcome.value
    if request.media_type:
        attributes["docwarden.media_type"] = request.media_type
    failure = request.failure
    if failure is not None:
        attributes["docwarden.reason"] = failure.reason
        if status >= 500:
            attributes["error.type"] = failure.rule.slug
    if request.wanted is not None:
        _add_fetch(attributes, request.wanted)
    return attributes


def _add_fetch(attributes: Attributes, wanted: Wanted) -> None:
    attributes["docwarden.document_id"] = wanted.document_id
    attributes["docwarden.attempts"] = len(wanted.attempts)
    if wanted.queue_seconds:
        attributes["docwarden.queue_ms"] = round(wanted.queue_seconds * 1000, 3)
    if wanted.shared:
        attributes["docwarden.shared"] = True
    if wanted.replaced is not None:
        attributes["docwarden.replaced_reason"] = wanted.replaced.reason
