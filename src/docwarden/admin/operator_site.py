"""Answers operators: the pages by path, and what goes for all of them."""

from collections.abc import Awaitable, Callable, Mapping

from docwarden.admin import pages
from docwarden.admin.console.site import Console
from docwarden.admin.explain_page import ExplainPage
from docwarden.core import responses
from docwarden.core.errors import Cause, Failure
from docwarden.core.request import Request
from docwarden.core.responses import Response

Page = Callable[[Request], Response | Awaitable[Response]]
"""Makes the answer to a GET."""


class OperatorSite:
    """Answers operators and their machines; implements `core.request.Handler`.

    Args:
        by_path: the pages of this site.
        console: adds its own.
        explain: answers the paths below its own.
        revision: of the build, for the page that names it.
    """

    def __init__(
        self, by_path: Mapping[str, Page], *, console: Console, explain: ExplainPage, revision: str
    ) -> None:
        self._console = console
        self._explain = explain
        self._pages: dict[str, Page] = {
            "/version": lambda _: pages.version(revision),
            **by_path,
            **console.pages,
        }

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        if self._explain.answers(request.path):
            return await self._explain.handle(request)
        try:
            response = self._page(request)(request)
            if not isinstance(response, Response):
                response = await response
        except Failure as failure:
            response = self.refuse(request, failure)
        return response if request.method != "HEAD" else responses.without_body(response)

    def _page(self, request: Request) -> Page:
        page = self._pages.get(request.path)
        if page is None:
            raise Failure(Cause.NO_SUCH_PAGE)
        if request.method not in ("GET", "HEAD"):
            raise Failure(Cause.METHOD)
        return page

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
