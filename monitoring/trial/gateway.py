"""The gateway with the simulator behind it."""

import contextlib
import http.client
import json
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trial.programs import Program
from trial.waiting import fetch


@dataclass
class Gateway:
    """A running gateway with the simulator behind it."""

    url: str
    admin: str
    control: str
    log: Path
    program: Program

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Make one request."""
        address = urllib.parse.urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=20)
        with contextlib.closing(connection):
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", path, headers=named)
            answer = connection.getresponse()
            return answer.status, dict(answer.headers), answer.read()

    def upstream(self, **wishes: Any) -> None:
        """Make the simulator behave otherwise."""
        fetch(self.control, method="PUT", data=json.dumps(wishes).encode())

    def metrics(self) -> str:
        with urllib.request.urlopen(f"{self.admin}/metrics", timeout=10) as answer:
            return str(answer.read().decode())

    def events(self) -> list[dict[str, Any]]:
        """Every log event so far."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@contextlib.contextmanager
def running_gateway(
    folder: Path, *, simulate: Sequence[str] = (), **settings: str
) -> Iterator[Gateway]:
    """Run simulator and gateway.

    Args:
        folder: Where they write their output.
        simulate: Further flags of the simulator.
        **settings: Environment of the gateway.
    """
    docwarden = [sys.executable, "-m", "docwarden"]
    free = "127.0.0.1:0"
    with contextlib.ExitStack() as stack:
        simulator = Program(
            folder / "simulator.log",
            [*docwarden, "simulate", "--listen", free, "--control", free, *simulate],
        )
        stack.callback(simulator.stop)
        upstream = simulator.find(r"listening on (\S+)")[1]
        control = simulator.find(r"control +curl -s (\S+)")[1]
        log = folder / "gateway.log"
        program = Program(
            log,
            [*docwarden, "serve", "--listen", free, "--admin-listen", free],
            {
                "DOCWARDEN_UPSTREAM_URL": f"{upstream}/{{id}}",
                "DOCWARDEN_DRAIN_DELAY": "0s",
                "DOCWARDEN_LOG_FORMAT": "json",
                **settings,
            },
        )
        stack.callback(program.stop)
        ready = json.loads(program.find(r'(?m)^\{.*"process\.ready".*$')[0])
        yield Gateway(ready["listen"], ready["admin_listen"], control, log, program)
