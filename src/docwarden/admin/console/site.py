"""The console's pages: the page itself, what it loads, and its events."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from docwarden import __version__
from docwarden.admin.console.feed import VIEWERS, Feed, Viewer
from docwarden.core import responses
from docwarden.core.reasons import FailureReason
from docwarden.core.request import Request
from docwarden.core.responses import Response
from docwarden.settings.settings import Setting
from docwarden.telemetry.resource import Resource

# Nothing inline, nothing from elsewhere; the icon is a data: URL.
_POLICY: Final = (
    b"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self';"
    b" connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none';"
    b" frame-ancestors 'none'\r\n"
    b"Cross-Origin-Resource-Policy: same-origin\r\n"
    b"Referrer-Policy: no-referrer\r\n"
)
_ASSETS: Final = {
    "/": ("page.html", b"text/html; charset=utf-8"),
    "/console/style.css": ("style.css", b"text/css; charset=utf-8"),
    "/console/script.js": ("script.js", b"text/javascript; charset=utf-8"),
    "/console/charts.js": ("charts.js", b"text/javascript; charset=utf-8"),
    "/console/requests.js": ("requests.js", b"text/javascript; charset=utf-8"),
    "/console/explain.js": ("explain.js", b"text/javascript; charset=utf-8"),
    "/console/write.js": ("write.js", b"text/javascript; charset=utf-8"),
}
# Proxies must not hold events back (nginx's X-Accel-Buffering).
_EVENTS: Final = (
    b"Content-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-store\r\n"
    b"X-Content-Type-Options: nosniff\r\nX-Accel-Buffering: no\r\n"
)


class Console:
    """Answers the operator's browser.

    Args:
        feed: where events come from.
        settings: as `describe` returns them, secrets masked.
        revision: the source revision.
        resource: which process this is.
        links: titles and URLs of other pages that an operator needs.

    Attributes:
        pages: the handler of each path.
    """

    def __init__(
        self,
        *,
        feed: Feed,
        settings: Sequence[Setting],
        revision: str,
        resource: Resource,
        links: Mapping[str, str],
    ) -> None:
        self._feed = feed
        self._about = orjson.dumps(
            {
                "version": __version__,
                "revision": revision,
                "resource": resource,
                "links": links,
                "settings": settings,
                "viewers": VIEWERS,
            }
        )
        self.pages: dict[str, Callable[[Request], Response]] = {
            path: _asset(name, media_type) for path, (name, media_type) in _ASSETS.items()
        }
        self.pages["/events"] = lambda request: self._events(request, tail=False)
        self.pages["/events/tail"] = lambda request: self._events(request, tail=True)

    def on_finished(self, response: Response | None) -> None:
        """Stop feeding a page that is gone."""
        if response is not None and isinstance(response.stream, Viewer):
            response.stream.close()

    def _events(self, request: Request, *, tail: bool) -> Response:
        if request.method == "HEAD":
            return Response(200, _EVENTS + _POLICY)
        viewer = self._feed.watch(self._about, tail=tail)
        if viewer is None:
            raise FailureReason.TOO_MANY_VIEWERS.failure(retry_after=5)
        return Response(200, _EVENTS + _POLICY, stream=viewer)


def _asset(name: str, media_type: bytes) -> Callable[[Request], Response]:
    body = Path(__file__).with_name(name).read_bytes()
    return lambda _: responses.page(body, media_type, extra=_POLICY)
