"""One connection: parses requests, sends immediate answers at once, and slow ones from a task."""

import asyncio
import fcntl
import socket
import struct
import termios
from collections import deque
from collections.abc import Callable
from typing import cast

import httptools

from docwarden.simulator.responding import Responder, SimulatorRequest
from docwarden.simulator.slots import Slots
from docwarden.simulator.steps import End, Pause, Refuse, Steps

# A peer that sends more than this is cut off.
_LONGEST_TARGET = 64 * 1024
_MOST_QUEUED = 100
_DELIVERY_POLL_SECONDS = 0.001
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_LINGER_ZERO = struct.pack("ii", 1, 0)  # struct linger: closing sends RST, socket(7)


class SimulatorConnection(asyncio.Protocol):
    """Speaks HTTP/1.1 with one peer; everything stops when the peer goes away.

    `entered` is called with the new connection, `left` when it is closed, and `refuse` with the
    seconds for which to refuse all connections.
    """

    def __init__(
        self,
        responder: Responder,
        slots: Slots,
        *,
        entered: Callable[["SimulatorConnection"], None],
        left: Callable[["SimulatorConnection"], None],
        refuse: Callable[[float], None],
    ) -> None:
        self._responder = responder
        self._slots = slots
        self._entered = entered
        self._left = left
        self._refuse = refuse
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._requests: deque[SimulatorRequest] = deque()
        self._answered = 0
        self._task: asyncio.Task[None] | None = None
        self._sent: asyncio.Future[None] | None = None
        self._buffering = False
        self._transport: asyncio.Transport

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's does not inherit from it
        self._entered(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        """Cancel the answer in progress."""
        if self._task:
            self._task.cancel()
        self._requests.clear()
        self._left(self)

    def data_received(self, data: bytes) -> None:
        """Parse the data received."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._transport.write(_BAD_REQUEST)
            self._transport.close()

    def pause_writing(self) -> None:
        """Called when the peer reads too slowly."""
        self._buffering = True
        if self._task is None:  # while a task sends, reading detects that the peer has closed
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Called when everything was sent."""
        self._buffering = False
        self._transport.resume_reading()
        if self._sent and not self._sent.done():
            self._sent.set_result(None)

    # httptools calls these

    def on_message_begin(self) -> None:
        """Reset the state of the previous request."""
        self._target = b""

    def on_url(self, part: bytes) -> None:
        """Collect the target, up to its limit."""
        self._target += part
        if len(self._target) > _LONGEST_TARGET:
            self.reset()

    def on_message_complete(self) -> None:
        """Answer the request, or queue it while an answer is in progress."""
        method = self._parser.get_method().decode("ascii")
        target = self._target.decode("utf-8", errors="replace")
        self._requests.append(SimulatorRequest(method, target, self._parser.should_keep_alive()))
        if len(self._requests) > _MOST_QUEUED:
            self.reset()
        elif self._task is None:
            self._answer()

    # ours

    def reset(self) -> None:
        """Reset the connection (RST) at once."""
        if not self._transport.is_closing():
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._transport.abort()

    async def ended(self) -> None:
        """Wait for the task of a closed connection to end."""
        if self._task:
            await asyncio.wait([self._task])

    def _answer(self) -> None:
        """Answer queued requests, up to the first answer that needs a task."""
        while self._requests and not self._transport.is_closing():
            request = self._requests.popleft()
            answer = self._responder.respond(request, self._answered)
            if answer.steps is not None or self._slots.limited:
                steps = iter(answer.prompt) if answer.steps is None else answer.steps
                loop = asyncio.get_running_loop()
                self._task = loop.create_task(self._serve(steps, keep_alive=request.keep_alive))
                return
            self._transport.write(b"".join(answer.prompt))
            self._answered += 1
            if not request.keep_alive:
                self._transport.close()

    async def _serve(self, steps: Steps, *, keep_alive: bool) -> None:
        self._transport.set_write_buffer_limits(high=0)  # so that "sent" means sent
        limited = self._slots.limited
        if limited:
            await self._slots.take()
        try:
            await self._perform(steps)
        finally:
            if limited:
                self._slots.release()
        self._answered += 1
        self._task = None
        if not keep_alive:
            self._transport.close()
        self._answer()

    async def _perform(self, steps: Steps) -> None:
        for step in steps:
            match step:
                case bytes():
                    await self._send(step)
                case Pause(seconds):
                    await asyncio.sleep(seconds)
                case Refuse(seconds):
                    self._refuse(seconds)
                case End.HANG:
                    await asyncio.get_running_loop().create_future()
                case End.CLOSE:
                    self._transport.close()
                    return
                case End.RESET:
                    await self._delivered()
                    self.reset()
                    return

    async def _send(self, data: bytes) -> None:
        self._transport.write(data)
        if self._buffering:
            self._sent = asyncio.get_running_loop().create_future()
            await self._sent
        else:
            await asyncio.sleep(0)  # an endless answer to a fast reader must let others in

    async def _delivered(self) -> None:
        """Wait until the peer's kernel has everything: a reset discards what is unsent."""
        unsent = bytearray(4)
        while not self._transport.is_closing():
            fcntl.ioctl(self._transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, unsent)
            if not any(unsent):
                return
            await asyncio.sleep(_DELIVERY_POLL_SECONDS)
