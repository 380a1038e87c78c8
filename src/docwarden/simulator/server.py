"""The running simulator: its listener, its connections, its behaviour."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from docwarden.simulator.behaviour import Behaviour
from docwarden.simulator.connection import SimulatorConnection
from docwarden.simulator.control import Control
from docwarden.simulator.documents import Library, library
from docwarden.simulator.faults.table import FAULTS
from docwarden.simulator.listener import SimulatorListener
from docwarden.simulator.responding import Counters, Responder
from docwarden.simulator.slots import Slots


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The configuration of a simulator. Port 0 is a free one; no `control_port`, no control.

    `documents` is a folder to serve (kinds `file` and `corrupt-file`); `size` makes PNG and PDF
    documents of so many bytes; `distinct` makes the bytes of every answer unique; `log` is called
    with a line for each request.
    """

    host: str = "127.0.0.1"
    port: int = 0
    control_host: str = "127.0.0.1"
    control_port: int | None = 0
    seed: int = 0
    behaviour: Behaviour = field(default_factory=Behaviour)
    documents: Path | None = None
    size: int | None = None
    distinct: bool = False
    log: Callable[[str], None] | None = None


class Simulator:
    """The faulty upstream: `start` it, send requests to `url`, change it by `behave`, `close` it.

    Raises:
        ValueError: the documents are not available.
        OSError: the documents cannot be read.
    """

    def __init__(self, configuration: Configuration | None = None) -> None:
        self.configuration = one = configuration or Configuration()
        self._library: Library = library(_kinds(one.behaviour), folder=one.documents, size=one.size)
        if one.distinct:
            for document in self._library:
                document.numbered(0)  # raises for kinds that cannot be numbered
        self._responder = Responder(
            one.behaviour, self._library, seed=one.seed, distinct=one.distinct, log=one.log
        )
        self._slots = Slots(one.behaviour.capacity)
        self._listener = SimulatorListener(
            one.host, one.port, self._connection, delay=lambda: self.behaviour.accept_delay
        )
        self._control: Control | None = None
        self._connections: set[SimulatorConnection] = set()
        self._refusing: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        """The port listened on."""
        return self._listener.port

    @property
    def url(self) -> str:
        """The URL for requests, without a slash at the end."""
        return f"http://{_netloc(self.configuration.host)}:{self.port}"

    @property
    def control_url(self) -> str | None:
        """The URL of the control endpoint, None without one."""
        if self._control is None:
            return None
        return f"http://{_netloc(self.configuration.control_host)}:{self._control.port}"

    @property
    def behaviour(self) -> Behaviour:
        """The current behaviour."""
        return self._responder.behaviour

    @property
    def counters(self) -> Counters:
        """The counters so far."""
        return self._responder.counters

    @property
    def held(self) -> frozenset[str]:
        """The SHA-256 (hex) of every intact document held, or served so far if distinct."""
        digests = {document.sha256 for document in self._library if document.intact}
        if self.configuration.distinct:
            intact = [document for document in self._library if document.intact]
            digests |= {
                sha256(document.numbered(number)).hexdigest()
                for document, number in itertools.product(intact, range(self._responder.number))
            }
        return frozenset(digests)

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: a port is taken, or a host is not ours.
        """
        one = self.configuration
        await self._listener.start()
        try:
            if one.control_port is not None:
                control = Control(
                    one.control_host, one.control_port, state=self.state, behave=self.behave
                )
                await control.start()
                self._control = control
        except OSError:
            await self.close()
            raise
        self._apply()

    async def close(self) -> None:
        """Stop: reset every connection, end every task, release the ports."""
        if self._refusing:
            self._refusing.cancel()
        await self._listener.close()
        if self._control:
            await self._control.close()
            self._control = None
        connections = list(self._connections)
        for connection in connections:
            connection.reset()
        for connection in connections:
            await connection.ended()

    def behave(self, /, **changes: Any) -> None:
        """Change the behaviour from now on; takes the fields of the control endpoint.

        `mix` (weights by kind), `faults` (a list of `NAME[=PARAMETER][:SHARE]`), `latency`,
        `capacity`, `accept_delay`, `listening`. Other fields keep their values.

        Raises:
            ValueError: a field is unknown or invalid; nothing has changed then.
            OSError: documents cannot be read, and nothing has changed; or another process took the
                port while this one did not listen.
        """
        behaviour = self.behaviour.changed(changes)
        if self.configuration.distinct:
            for kind in _kinds(behaviour):
                self._library.of(kind)[0].numbered(0)
        self._responder.behave(behaviour)
        self._apply()

    def state(self) -> dict[str, Any]:
        """Return what the control endpoint shows."""
        return {
            "url": self.url,
            "seed": self.configuration.seed,
            "behaviour": self.behaviour.as_json(),
            "counters": self.counters.as_json(),
            "documents": [
                {"kind": one.kind, "bytes": len(one.body), "sha256": one.sha256}
                for one in self._library
            ],
            "faults_known": list(FAULTS),
        }

    def _connection(self) -> SimulatorConnection:
        return SimulatorConnection(
            self._responder,
            self._slots,
            entered=self._entered,
            left=self._left,
            refuse=self._refuse,
        )

    def _entered(self, connection: SimulatorConnection) -> None:
        self._connections.add(connection)
        self.counters.connections += 1
        self.counters.open_connections += 1

    def _left(self, connection: SimulatorConnection) -> None:
        self._connections.discard(connection)
        self.counters.open_connections -= 1

    def _refuse(self, seconds: float) -> None:
        self._shut()
        if self._refusing:
            self._refusing.cancel()
        self._refusing = asyncio.get_running_loop().call_later(seconds, self._apply)

    def _apply(self) -> None:
        """Apply the behaviour to listener and capacity; ends a temporary refusal."""
        if self._refusing:
            self._refusing.cancel()
            self._refusing = None
        self._slots.resize(self.behaviour.capacity)
        if self.behaviour.listening:
            self._listener.open()
        else:
            self._shut()

    def _shut(self) -> None:
        self._listener.shut()
        for connection in list(self._connections):
            connection.reset()


def _kinds(behaviour: Behaviour) -> list[str]:
    return [kind for kind, weight in behaviour.mix.items() if weight > 0]


def _netloc(host: str) -> str:
    """Return a host as in a URL; loopback for one that listens on all addresses."""
    if host in ("0.0.0.0", ""):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    if host == "::":
        return "[::1]"
    return f"[{host}]" if ":" in host else host
