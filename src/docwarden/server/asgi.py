"""The same sites as ASGI applications, and uvicorn as the server that runs them.

`DOCWARDEN_SERVER=uvicorn` selects it. It costs more per request and has fewer limits of its own
(docs/decisions/0003-http-server.md); everything behind the listener is the same.
"""

import asyncio
import contextlib
import math
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from random import Random
from typing import Any, Final

import uvicorn

from docwarden.core.request import READ_FIELDS, Handler, Request, address_of
from docwarden.core.responses import Response
from docwarden.net.write_batch import Bytes
from docwarden.server.limits import ClientLimits

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Above this uvicorn waits for the client before it takes more.
_PIECE: Final = 64 * 1024


class AsgiApplication:
    """A site as an ASGI 3 application."""

    def __init__(
        self, site: Handler, *, random: Random, closing: Callable[[], bool], send_timeout: float
    ) -> None:
        self._site = site
        self._random = random
        self._closing = closing
        self._send_timeout = send_timeout
        self._watches: set[asyncio.Future[None]] = set()

    def cut_off(self) -> None:
        """End every request under way as if its client had gone."""
        for leaving in list(self._watches):
            leaving.cancel()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = self._request(scope)
        response: Response | None = None
        sent = -1
        try:
            response = await self._unless_gone(request, receive)
            if response is not None:
                sent = await self._send(response, receive, send)
        finally:
            self._site.on_finished(request, response, sent)

    def _request(self, scope: Message) -> Request:
        headers: dict[bytes, bytes] = {}
        for name, given in scope["headers"]:
            if name in READ_FIELDS:
                value = given.strip(b" \t")  # llhttp leaves what follows it
                headers[name] = headers[name] + b", " + value if name in headers else value
        return Request(
            scope["method"],
            scope["raw_path"].partition(b"?")[0].decode("latin-1"),
            headers,
            client=address_of(scope.get("client")),
            started=time.monotonic(),
            wall=time.time(),
            random=self._random,
        )

    async def _unless_gone(self, request: Request, receive: Receive) -> Response | None:
        """Answer the request, but stop when the client goes away before."""
        answering = asyncio.ensure_future(self._site.handle(request))
        leaving = self._watch(receive)
        try:
            await asyncio.wait((answering, leaving), return_when=asyncio.FIRST_COMPLETED)
            return answering.result() if answering.done() else None
        finally:
            tasks = [task for task in (answering, leaving) if not task.done()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _watch(self, receive: Receive) -> asyncio.Future[None]:
        """Return what is done when the client has gone, or the request is to be cut off."""
        leaving = asyncio.ensure_future(_gone(receive))
        self._watches.add(leaving)
        leaving.add_done_callback(self._watches.discard)
        return leaving

    async def _send(self, response: Response, receive: Receive, send: Send) -> int:
        fields = [line.split(b": ", 1) for line in response.fields.split(b"\r\n") if line]
        headers = [(name.lower(), value) for name, value in fields]
        if self._closing():
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        body = response.body
        if response.stream is None and len(body) <= _PIECE:
            await send({"type": "http.response.body", "body": bytes(body)})
            return len(body)
        pieces = _pieces(body) if response.stream is None else response.stream
        # uvicorn ignores what is sent to a client that has gone: a stream would never end.
        leaving = self._watch(receive)
        streaming = asyncio.ensure_future(self._stream(pieces, send, leaving))
        try:
            await asyncio.wait((streaming, leaving), return_when=asyncio.FIRST_COMPLETED)
            return streaming.result() if streaming.done() else -1
        finally:
            streaming.cancel()
            leaving.cancel()
            await asyncio.gather(streaming, leaving, return_exceptions=True)

    async def _stream(
        self, pieces: AsyncIterator[bytes], send: Send, leaving: asyncio.Future[None]
    ) -> int:
        """Send the pieces at the pace of the client; return how much, -1 when it was lost."""
        sent = 0
        try:
            async for piece in pieces:
                await self._send_piece(piece, send)
                sent += len(piece)
            # Taken when the client has read what came before it, or has gone.
            await self._send_piece(b"", send)
        except TimeoutError:
            return -1
        if leaving.done():
            return -1
        await send({"type": "http.response.body"})
        return sent

    async def _send_piece(self, piece: bytes, send: Send) -> None:
        async with asyncio.timeout(self._send_timeout):
            await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _pieces(body: Bytes) -> AsyncIterator[bytes]:
    view = memoryview(body)
    for start in range(0, len(view), _PIECE):
        yield bytes(view[start : start + _PIECE])


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: the process has one life, not one per listener."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class UvicornFront:
    """Serves a site with uvicorn; the counterpart of `front.Front`.

    Attributes:
        closing: whether answers ask clients to reconnect elsewhere.
    """

    def __init__(self, site: Handler, limits: ClientLimits, *, random: Random) -> None:
        self.closing = False
        self._random = random
        self._application = AsgiApplication(
            site,
            random=random,
            closing=lambda: self.closing,
            send_timeout=limits.send_timeout,
        )
        config = uvicorn.Config(
            self._application,
            http="httptools",
            loop="none",
            lifespan="off",
            ws="none",
            access_log=False,
            log_config=None,
            server_header=False,
            # Else X-Forwarded-For, any text, would be the address of a client on this host.
            proxy_headers=False,
            timeout_keep_alive=math.ceil(limits.idle_timeout),
        )
        self._server = _Server(config)
        self._serving: asyncio.Task[None] | None = None
        self.port = 0

    @property
    def connections(self) -> set[Any]:
        """The open client connections."""
        return self._server.server_state.connections

    async def start(self, listener: socket.socket) -> None:
        """Accept connections from `listener`."""
        self.port = listener.getsockname()[1]
        listener.listen(self._server.config.backlog)
        self._serving = asyncio.ensure_future(self._server.serve([listener]))
        while not self._server.started and not self._serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.001)

    def retire(self) -> None:
        """Ask clients to go elsewhere: each further answer ends its connection."""
        self.closing = True

    async def close(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for answers under way, then close whatever is left.

        Returns:
            Whether everything ended in time.
        """
        if self._serving is None:
            return True
        self._server.should_exit = True
        _, late = await asyncio.wait((self._serving,), timeout=timeout)
        tasks, connections = self._server.server_state.tasks, self.connections
        # uvicorn takes a moment to end although nothing is under way.
        in_time = not tasks and not any(
            connection.transport.get_write_buffer_size() for connection in connections
        )
        if late:
            self._server.force_exit = True
            await self._serving
            for connection in list(connections):
                connection.transport.abort()
            # uvicorn tells the latest request of each, and none that others were pipelined behind.
            await asyncio.sleep(0)
            self._application.cut_off()
            # Requests that are cut off still take note of their end.
            await asyncio.gather(*tasks, return_exceptions=True)
        self._serving = None
        return in_time
