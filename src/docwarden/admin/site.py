"""The operator's pages: health, metrics, version, and the console.

They are never shed, and except for `explain` they never call the upstream.
"""

from collections.abc import Callable
from typing import Final

from prometheus_client.registry import CollectorRegistry

from docwarden.admin import pages
from docwarden.admin.console.site import Console
from docwarden.admin.explain_page import ExplainPage
from docwarden.core import responses
from docwarden.core.errors import Cause, Failure
from docwarden.core.request import Request
from docwarden.core.responses import Response
from docwarden.telemetry.health import Health, Phase
from docwarden.telemetry.metrics import exposition

READING: Final = "/console/reading"
TAIL: Final = "/console/reading/tail"
"""What a supervisor requests of each worker, without and with successful requests; see
`console.reading`."""


class AdminSite:
    """Answers operators and their machines; implements `core.request.Handler`."""

    def __init__(  # noqa: PLR0913 - each serves some of the pages
        self,
        *,
        health: Health,
        registry: CollectorRegistry,
        console: Console,
        reading: Callable[[bool], bytes],
        explain: ExplainPage,
        revision: str,
    ) -> None:
        self._health = health
        self._console = console
        self._explain = explain
        self._registry = registry
        self._pages: dict[str, Callable[[Request], Response]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/startupz": self._startupz,
            "/metrics": self._metrics,
            "/version": lambda _: pages.version(revision),
            READING: lambda _: responses.page(reading(False), pages.JSON),
            TAIL: lambda _: responses.page(reading(True), pages.JSON),
            **console.pages,
        }

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        if self._explain.answers(request.path):
            return await self._explain.handle(request)
        try:
            response = self._page(request)
        except Failure as failure:
            response = self.refuse(request, failure)
        return response if request.method != "HEAD" else responses.without_body(response)

    def _page(self, request: Request) -> Response:
        page = self._pages.get(request.path)
        if page is None:
            raise Failure(Cause.NO_SUCH_PAGE)
        if request.method not in ("GET", "HEAD"):
            raise Failure(Cause.METHOD)
        return page(request)

    def refuse(self, request: Request, failure: Failure) -> Response:
        """Return the problem for `failure`."""
        return pages.refusal(request, failure)

    def on_finished(
        self,
        request: Request,  # noqa: ARG002 - the protocol's; nothing is counted here
        response: Response | None,
        sent: int,  # noqa: ARG002 - as above
    ) -> None:
        """Close event streams; nothing is counted, as probes would drown out clients."""
        self._console.on_finished(response)

    def _livez(self, _: Request) -> Response:
        stuck = self._health.stuck_seconds()
        body = {"status": "ok"}
        if stuck:
            body = {"status": "stuck", "detail": f"a request is {stuck:.1f} s past its bounds"}
        return pages.health(body, ok=not stuck)

    def _readyz(self, _: Request) -> Response:
        phase = self._health.phase
        ok = phase is Phase.READY
        return pages.health({"status": "ok" if ok else phase.value}, ok=ok)

    def _startupz(self, _: Request) -> Response:
        phase = self._health.phase
        ok = phase is not Phase.STARTING
        return pages.health({"status": "ok" if ok else phase.value}, ok=ok)

    def _metrics(self, request: Request) -> Response:
        return responses.page(*exposition(self._registry, request.headers.get(b"accept", b"")))
