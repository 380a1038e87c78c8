"""New connections to the upstream, by all addresses of its name (in the manner of RFC 8305).

Rules of this file
    - Address families are interleaved, the preferred one first (RFC 8305 section 4).
    - The next address is tried when the one before it has failed, or has not connected within
      `STAGGER_SECONDS` (section 5); the first to connect wins, the others are cancelled.
    - An address that failed or lost goes to the end of the list for `AVOID_SECONDS`.
    - Names are looked up off the event loop, one look-up at a time. If that takes too long or
      fails, the previous addresses are used.
"""

import asyncio
import contextlib
import errno
import ipaddress
import itertools
import socket
import ssl
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from docwarden.core.errors import Cause, Detail, Failure
from docwarden.core.reasons import FailureReason
from docwarden.upstream.origin import Origin

STAGGER_SECONDS: Final = 0.25
"""RFC 8305 section 8 recommends 250 ms between attempts."""

AVOID_SECONDS: Final = 30.0
# More than any client needs to try; a resolver may return hundreds.
MAX_ADDRESSES: Final = 16

Address = tuple[socket.AddressFamily, tuple[object, ...]]

# Local resources that ran out; not the upstream's fault.
_LOCAL_ERRORS: Final = {
    errno.EMFILE: FailureReason.TOO_FEW_DESCRIPTORS,
    errno.ENFILE: FailureReason.TOO_FEW_DESCRIPTORS,
    errno.EADDRNOTAVAIL: FailureReason.TOO_FEW_PORTS,
    errno.ENOMEM: FailureReason.OUT_OF_MEMORY,
    errno.ENOBUFS: FailureReason.OUT_OF_MEMORY,
}
_CONNECT_ERRORS: Final = {
    errno.ECONNREFUSED: Detail.REFUSED,
    errno.ECONNRESET: Detail.RESET,
    errno.EPIPE: Detail.RESET,
    errno.EHOSTUNREACH: Detail.UNREACHABLE,
    errno.ENETUNREACH: Detail.UNREACHABLE,
    errno.EHOSTDOWN: Detail.UNREACHABLE,
    errno.ENETDOWN: Detail.UNREACHABLE,
    errno.ETIMEDOUT: Detail.UNREACHABLE,
}
_NO_SUCH_NAME: Final = frozenset((socket.EAI_NONAME, socket.EAI_NODATA))
# OpenSSL's x509_vfy.h: X509_V_ERR_*.
_CERTIFICATE_ERRORS: Final = {
    9: Detail.CERTIFICATE_NOT_YET_VALID,
    10: Detail.CERTIFICATE_EXPIRED,
    2: Detail.CERTIFICATE_UNKNOWN_ISSUER,
    18: Detail.CERTIFICATE_UNKNOWN_ISSUER,
    19: Detail.CERTIFICATE_UNKNOWN_ISSUER,
    20: Detail.CERTIFICATE_UNKNOWN_ISSUER,
    21: Detail.CERTIFICATE_UNKNOWN_ISSUER,
    62: Detail.CERTIFICATE_OTHER_NAME,
    64: Detail.CERTIFICATE_OTHER_NAME,
}


def failure_of(error: OSError | MemoryError) -> Failure:
    """Return the failure for a connection error, by its type and code."""
    if isinstance(error, ssl.SSLError):
        return FailureReason.TLS_FAILED.failure(detail=_tls_detail(error))
    if isinstance(error, socket.gaierror) and error.errno != socket.EAI_MEMORY:
        known = error.errno in _NO_SUCH_NAME
        detail = Detail.NAME_NOT_FOUND if known else Detail.NAME_LOOKUP_FAILED
        return Failure(Cause.CONNECT, detail=detail)
    out_of_memory = isinstance(error, (MemoryError, socket.gaierror))
    code = errno.ENOMEM if out_of_memory else getattr(error, "errno", None)
    if code in _LOCAL_ERRORS:
        return _LOCAL_ERRORS[code].failure()
    return Failure(Cause.CONNECT, detail=_CONNECT_ERRORS.get(code or 0, Detail.OTHER))


def _tls_detail(error: ssl.SSLError) -> Detail:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE_ERRORS.get(error.verify_code, Detail.CERTIFICATE_REFUSED)
    return Detail.TLS_REFUSED


class Dialer:
    """Opens connections to one origin; only the look-up has a timeout.

    Args:
        origin: where to connect.
        loop: the event loop.
        lookup_timeout: seconds after which the previous addresses are used.

    Attributes:
        waiting_for: what the last attempt was waiting for when it was cancelled.
    """

    def __init__(
        self, origin: Origin, loop: asyncio.AbstractEventLoop, *, lookup_timeout: float
    ) -> None:
        self._origin = origin
        self._loop = loop
        self._lookup_timeout = lookup_timeout
        self._lookup: asyncio.Task[list[Address]] | None = None
        self._known: list[Address] = []
        self._avoided: dict[Address, float] = {}
        self._is_address = _is_address(origin.host)
        self.waiting_for = Detail.UNREACHABLE

    async def dial(self, factory: Callable[[], asyncio.BaseProtocol]) -> asyncio.BaseProtocol:
        """Connect, with TLS if the origin has it, and return the protocol.

        Raises:
            OSError: of the last address tried, of the look-up or of TLS.
        """
        origin = self._origin
        if self._is_address:
            self.waiting_for = Detail.UNREACHABLE
            _, protocol = await self._loop.create_connection(
                factory, origin.host, origin.port, ssl=origin.tls
            )
            return protocol
        self.waiting_for = Detail.NAME_LOOKUP_FAILED
        addresses = await self._addresses()
        self.waiting_for = Detail.UNREACHABLE
        connected = await self._first_to_connect(addresses)
        try:
            _, protocol = await self._loop.create_connection(
                factory,
                sock=connected,
                ssl=origin.tls,
                server_hostname=origin.host if origin.tls else None,
            )
        except BaseException:
            connected.close()
            raise
        return protocol

    def close(self) -> None:
        """Cancel a look-up in progress."""
        if self._lookup is not None:
            self._lookup.cancel()

    # --- names

    async def _addresses(self) -> list[Address]:
        if self._lookup is None or self._lookup.done():
            self._lookup = self._loop.create_task(self._look_up())
            self._lookup.add_done_callback(_mark_retrieved)
        try:
            # Shielded, so that a resolver that hangs blocks one thread and not one per request.
            found = await asyncio.wait_for(asyncio.shield(self._lookup), self._lookup_timeout)
        except (TimeoutError, socket.gaierror) as error:
            if not self._known or _is_answer(error):
                raise
            found = self._known
        self._known = found
        return self._by_preference(found)

    async def _look_up(self) -> list[Address]:
        rows = await self._loop.getaddrinfo(
            self._origin.host, self._origin.port, type=socket.SOCK_STREAM
        )
        return _interleaved([(family, address) for family, _, _, _, address in rows])

    def _by_preference(self, addresses: list[Address]) -> list[Address]:
        now = time.monotonic()
        self._avoided = {
            each: until
            for each, until in self._avoided.items()
            if until > now and each in addresses
        }
        return sorted(addresses, key=lambda each: each in self._avoided)

    # --- addresses

    async def _first_to_connect(self, addresses: Sequence[Address]) -> socket.socket:
        if len(addresses) == 1:
            return await self._connect_to(addresses[0])
        tasks: dict[asyncio.Task[socket.socket], Address] = {}
        waiting = list(addresses)
        winner: asyncio.Task[socket.socket] | None = None
        error: BaseException | None = None
        try:
            while winner is None:
                running = [task for task in tasks if not task.done()]
                if waiting:
                    address = waiting.pop(0)
                    task = self._loop.create_task(self._connect_to(address))
                    tasks[task] = address
                    running.append(task)
                elif not running:
                    break
                done, _ = await asyncio.wait(
                    running,
                    timeout=STAGGER_SECONDS if waiting else None,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for task in done:
                    error = task.exception()
                    if error is None:
                        winner = task
        finally:
            for task in tasks:
                if task is not winner:
                    task.add_done_callback(_close)
                    task.cancel()
        self._avoid(address for task, address in tasks.items() if task is not winner)
        if winner is None:
            assert error is not None  # noqa: S101 - there was an address, and it failed
            raise error
        return winner.result()

    def _avoid(self, addresses: Iterable[Address]) -> None:
        self._avoided.update(dict.fromkeys(addresses, time.monotonic() + AVOID_SECONDS))

    async def _connect_to(self, address: Address) -> socket.socket:
        family, where = address
        connecting = socket.socket(family, socket.SOCK_STREAM)
        try:
            connecting.setblocking(False)
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.sock_connect(connecting, where)
        except BaseException:
            connecting.close()
            raise
        return connecting


def _is_address(host: str) -> bool:
    with contextlib.suppress(ValueError):
        ipaddress.ip_address(host)
        return True
    return False


def _is_answer(error: Exception) -> bool:
    """Whether the name servers answered that the name has no address."""
    return isinstance(error, socket.gaierror) and error.errno in _NO_SUCH_NAME


def _interleaved(addresses: list[Address]) -> list[Address]:
    """Return addresses with their families alternating, the first one's first."""
    families: dict[int, list[Address]] = {}
    for each in dict.fromkeys(addresses):
        families.setdefault(each[0], []).append(each)
    turns = itertools.zip_longest(*families.values())
    return [each for turn in turns for each in turn if each is not None][:MAX_ADDRESSES]


def _mark_retrieved(lookup: "asyncio.Task[list[Address]]") -> None:
    """Retrieve a failure that nobody awaits any more, which asyncio would report."""
    if not lookup.cancelled():
        lookup.exception()


def _close(connecting: "asyncio.Task[socket.socket]") -> None:
    if not connecting.cancelled() and connecting.exception() is None:
        connecting.result().close()
