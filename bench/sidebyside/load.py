"""The load generators, and the pass that checks bodies."""

import http.client
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sidebyside.processes import BenchError
from sidebyside.results import Bodies
from sidebyside.tools import Tools
from sidebyside.upstream import CONFIGS, Upstream, digest

_REPORT: Final = CONFIGS / "report.lua"
# What a generator may take beyond the time that it was told.
_GRACE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Load:
    """Runs load generators on one core."""

    tools: Tools
    core: int

    def at_most(
        self,
        port: int,
        *,
        path: str,
        numbers: tuple[int, int] | None,
        connections: int,
        seconds: float,
    ) -> dict[str, Any]:
        """Ask as fast as answers come, with wrk.

        Args:
            port: of the gateway.
            path: what to ask for.
            numbers: instead of `path`, the number to begin after and how many there are.
            connections: each with one request at a time.
            seconds: how long.

        Raises:
            BenchError: wrk failed.
        """
        return self._run(
            [
                self.tools.wrk,
                "--threads=1",
                f"--connections={connections}",
                f"--duration={max(1, round(seconds))}s",
                "--timeout=20s",
                f"--script={_REPORT}",
                f"http://127.0.0.1:{port}{path}",
                "--",
                *(str(each) for each in numbers or ()),
            ],
            seconds,
        )

    def steady(self, port: int, *, rate: float, connections: int, seconds: float) -> dict[str, Any]:
        """Ask `rate` times a second, evenly spaced.

        Raises:
            BenchError: the generator failed.
        """
        return self._run(
            [
                str(self.tools.go_programs / "steady"),
                f"-address=127.0.0.1:{port}",
                f"-rate={rate:.1f}",
                f"-connections={connections}",
                f"-seconds={seconds}",
            ],
            seconds,
        )

    def _run(self, command: list[str], seconds: float) -> dict[str, Any]:
        try:
            run = subprocess.run(
                [
                    "setpriv",
                    "--pdeathsig",
                    "KILL",
                    "taskset",
                    "--cpu-list",
                    str(self.core),
                    *command,
                ],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds + _GRACE_SECONDS,
                check=True,
            )
            report: dict[str, Any] = json.loads(run.stderr.splitlines()[-1])
        except subprocess.CalledProcessError as error:
            raise BenchError(f"{command[0]} failed: {error.stderr or error.stdout}") from error
        except (subprocess.TimeoutExpired, ValueError, IndexError) as error:
            raise BenchError(f"{command[0]} gave no report: {error}") from error
        return report


def check_bodies(port: int, upstream: Upstream, count: int) -> Bodies:
    """Ask for `count` documents over one connection and compare each with what was sent."""
    bodies = Bodies()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        for number in range(1, count + 1):
            connection.request("GET", f"/{number}")
            answer = connection.getresponse()
            body = answer.read()
            bodies.asked += 1
            sha256 = digest(body)
            if answer.status != 200:
                bodies.refused += 1
            elif sha256 in upstream.corrupt:
                bodies.corrupt += 1
            elif sha256 not in upstream.intact:
                bodies.unknown += 1
            elif answer.getheader("Content-Type") != upstream.intact[sha256]:
                bodies.mistyped += 1
            else:
                bodies.intact += 1
    finally:
        connection.close()
    return bodies


def empty(file: Path) -> None:
    """Cut a log that a process appends to, so that a run takes little room."""
    if file.exists():
        with file.open("r+b") as opened:
            opened.truncate(0)
