"""The operator's pages of one process: health, metrics, version, and the console.

They are never shed, and except for `explain` they never call the upstream.
"""

from collections.abc import Callable
from typing import Final

from prometheus_client.registry import CollectorRegistry

from docwarden.admin import pages
from docwarden.admin.console.site import Console
from docwarden.admin.explain_page import ExplainPage
from docwarden.admin.operator_site import OperatorSite, Page
from docwarden.core import responses
from docwarden.core.request import Request
from docwarden.core.responses import Response
from docwarden.telemetry.health import Health, Phase

READING: Final = "/console/reading"
TAIL: Final = "/console/reading/tail"
"""What a supervisor requests of each worker, without and with successful requests; see
`console.reading`."""


class AdminSite(OperatorSite):
    """The pages of one process."""

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
        by_path: dict[str, Page] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/startupz": self._startupz,
            "/metrics": self._metrics,
            READING: lambda _: responses.page(reading(False), pages.JSON),
            TAIL: lambda _: responses.page(reading(True), pages.JSON),
        }
        super().__init__(by_path, console=console, explain=explain, revision=revision)
        self._health = health
        self._registry = registry

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
        return pages.metrics(request, self._registry)
