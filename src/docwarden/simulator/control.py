"""The control endpoint: shows the state, and changes the behaviour while the simulator runs."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from docwarden.simulator.steps import REASONS

_LARGEST_HEAD = 16 * 1024
_LARGEST_BODY = 64 * 1024
_SECONDS = 10.0  # timeout of a request
_ALLOWED_METHODS = "GET, HEAD, PUT"


class _BadRequestError(Exception):
    """The request cannot be read."""


class Control:
    """Serves `GET /` (the state) and `PUT /` (fields to change), one request a connection.

    Meant for loopback: anyone who can reach it can break the simulator. `behave` raises ValueError
    or OSError for invalid changes, which are answered with 400 and the reason.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        state: Callable[[], dict[str, Any]],
        behave: Callable[..., None],
    ) -> None:
        self._host = host
        self._port = port
        self._state = state
        self._behave = behave
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port listened on."""
        assert self._server is not None  # noqa: S101 - start was awaited before
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the port is taken, or the host is not ours.
        """
        self._server = await asyncio.start_server(
            self._serve, self._host, self._port, limit=_LARGEST_HEAD
        )

    async def close(self) -> None:
        """Stop listening, and cancel requests in progress."""
        if self._server:
            self._server.close()
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - streams call this in a task
        self._serving.add(task)
        try:
            async with asyncio.timeout(_SECONDS):
                try:
                    status, answer = self._answer(*await _request(reader))
                except _BadRequestError as problem:
                    status, answer = 400, {"error": str(problem)}
                writer.write(_response(status, answer))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.CancelledError):
            pass  # the peer went away or was too slow, or the simulator closes
        finally:
            self._serving.discard(task)
            writer.close()

    def _answer(self, method: str, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if target != "/":
            return 404, {"error": "only / is here"}
        if method in ("GET", "HEAD"):
            return 200, self._state()
        if method != "PUT":
            return 405, {"error": f"only {_ALLOWED_METHODS}"}
        try:
            changes = json.loads(body)
            if not isinstance(changes, dict):
                raise ValueError("a JSON object is needed")  # noqa: TRY004, TRY301 - one way out
            self._behave(**changes)
        except (ValueError, OSError, RecursionError) as problem:
            return 400, {"error": str(problem)}
        return 200, self._state()


async def _request(reader: asyncio.StreamReader) -> tuple[str, str, bytes]:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        raise _BadRequestError("no HTTP request") from None
    first, *fields = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3:
        raise _BadRequestError("no HTTP request")
    length = 0
    for one in fields:
        name, _, value = one.partition(":")
        if name.lower() == "content-length":
            digits = value.strip()
            length = int(digits) if digits.isdecimal() and len(digits) < 20 else _LARGEST_BODY + 1
        if name.lower() == "transfer-encoding":
            raise _BadRequestError("send a body with Content-Length, not in chunks")
    if length > _LARGEST_BODY:
        raise _BadRequestError(f"the body is more than {_LARGEST_BODY} bytes")
    try:
        return words[0], words[1], await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        raise _BadRequestError("the body is shorter than declared") from None


def _response(status: int, answer: dict[str, Any]) -> bytes:
    body = json.dumps(answer, indent=2).encode("ascii") + b"\n"
    return (
        f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nAllow: {_ALLOWED_METHODS}\r\nConnection: close\r\n\r\n"
    ).encode("ascii") + body
