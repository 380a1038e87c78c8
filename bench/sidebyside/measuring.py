"""How a case is measured.

Everybody once, then everybody again, so that a change of the machine's mood meets all alike.
"""

import contextlib
import http.client
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sidebyside import procfs
from sidebyside.cases import Case
from sidebyside.load import Load, check_bodies, empty
from sidebyside.peers import Peer, Start
from sidebyside.processes import BenchError, Children
from sidebyside.results import Outcome, Record, Round
from sidebyside.tools import Tools
from sidebyside.upstream import Upstream

# Until a process has done what it does after its first answer, before its memory is read.
_SETTLE_SECONDS: Final = 0.5
# For the requests that the load generator left under way.
_TAIL_SECONDS: Final = 0.1


def progress(text: str) -> None:
    """Tell the terminal how far it is."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def ends_with_its_children() -> Iterator[None]:
    """Leave nothing running when a benchmark is ended or cannot go on.

    Raises:
        SystemExit: 1 after a `BenchError`, 130 after Ctrl-C, 143 after SIGTERM; says why.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    except BenchError as error:
        progress(f"bench: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        progress("bench: interrupted; nothing is left running")
        sys.exit(130)


@dataclass(slots=True)
class _Running:
    peer: Peer
    process: Any
    port: int
    admin: int
    record: Record
    documents: str
    asked: int = 0


class Bench:
    """Measures cases against one upstream.

    Args:
        tools: the programs.
        children: starts and ends the gateways.
        upstream: what they fetch from.
        run: folder for configurations and logs.
        gateway_core: where the gateways run, one under load at a time.
        load: the generator, on the other core.
    """

    def __init__(  # noqa: PLR0913 - the parts of a bench
        self,
        *,
        tools: Tools,
        children: Children,
        upstream: Upstream,
        run: Path,
        gateway_core: int,
        load: Load,
    ) -> None:
        self._tools = tools
        self._children = children
        self._upstream = upstream
        self._run = run
        self._core = gateway_core
        self._load = load

    @property
    def has_steady_load(self) -> bool:
        """Whether there is a generator for a fixed rate, which is built where Go is installed."""
        return self._tools.go is not None

    def measure(self, case: Case, *, bodies: int = 0) -> Outcome:
        """Measure one case; with `bodies`, compare so many of each peer's answers by hash first."""
        with self._running(case.peers, case.documents) as running:
            for each in running:
                if bodies:
                    each.record.bodies = check_bodies(each.port, self._upstream, bodies)
                self._ask(each, case, case.warm_up)
            before = [_recalled(each) for each in running]
            for number in range(case.rounds):
                for each in running:
                    each.record.rounds.append(
                        self._round(
                            each,
                            lambda each: self._ask(each, case, case.seconds),
                            unfinished=case.connections,
                        )
                    )
                shown = ", ".join(f"{each.peer.name} {each.record.cpu:.0f}" for each in running)
                progress(f"{case.name} {number + 1}/{case.rounds}, CPU ms per 1000: {shown}")
            for each, earlier in zip(running, before, strict=True):
                each.record.loaded = procfs.memory(each.process.pid)
                if earlier is not None:
                    each.record.recalled = (_recalled(each) or 0.0) - earlier
            return Outcome(case.name, case.title, {each.peer.name: each.record for each in running})

    def measure_steady(
        self, peers: tuple[Peer, ...], *, rate: float, rounds: int, seconds: float
    ) -> Outcome:
        """Measure latencies at a fixed rate over 32 connections."""

        def ask(each: _Running) -> dict[str, Any]:
            return self._load.steady(each.port, rate=rate, connections=32, seconds=seconds)

        with self._running(peers, "mix") as running:
            for each in running:
                self._load.steady(each.port, rate=rate, connections=32, seconds=1)
            for number in range(rounds):
                for each in running:
                    each.record.rounds.append(self._round(each, ask, unfinished=0))
                shown = ", ".join(f"{each.peer.name} {each.record.p99:.2f}" for each in running)
                progress(f"steady {number + 1}/{rounds} at {rate:.0f}/s, p99 in ms: {shown}")
            title = f"{rate:.0f} requests a second, half of docwarden's capacity, 32 connections"
            return Outcome("steady", title, {each.peer.name: each.record for each in running})

    def measure_start(self, peer: Peer, times: int) -> list[float]:
        """Return the seconds from the process's start to its first answer 200, each time."""
        taken = []
        for _ in range(times):
            started = time.monotonic()
            running = self._start(peer, "mix")
            taken.append(time.monotonic() - started)
            self._children.stop(running.process)
        return taken

    @contextlib.contextmanager
    def _running(self, peers: tuple[Peer, ...], documents: str) -> Iterator[list[_Running]]:
        running: list[_Running] = []
        try:
            for peer in peers:
                if not peer.needs(self._tools):
                    progress(f"{peer.name} is left out: not installed")
                    continue
                running.append(self._start(peer, documents))
            time.sleep(_SETTLE_SECONDS)
            for each in running:
                each.record.idle = procfs.memory(each.process.pid)
            yield running
        finally:
            for each in running:
                self._children.stop(each.process)

    def _start(self, peer: Peer, documents: str) -> _Running:
        port, admin = self._children.free_port(), self._children.free_port()
        upstream = self._upstream.port(documents)
        start = Start(self._tools, self._run, port, admin, upstream, peer.name)
        empty(self._run / f"{peer.name}.out")
        process = self._children.start(
            peer.name, peer.command(start), core=self._core, environ=peer.environ(start)
        )
        path = "/1024" if documents == "sized" else "/1"
        self._children.await_document(process, port, path)
        record = Record(peer.name, peer.title, peer.verifies)
        return _Running(peer, process, port, admin, record, documents)

    def _ask(self, each: _Running, case: Case, seconds: float) -> dict[str, Any]:
        report = self._load.at_most(
            each.port,
            path=case.path,
            numbers=(each.asked % case.numbers, case.numbers) if case.numbers else None,
            connections=case.connections,
            seconds=seconds,
        )
        # What was under way at the end had been asked too, and wrk asks for one number in advance.
        each.asked += int(report["requests"]) + 2 * case.connections
        return report

    def _round(
        self, each: _Running, ask: Callable[[_Running], dict[str, Any]], *, unfinished: int
    ) -> Round:
        answers = self._upstream.answers(each.documents)
        busy, cpu = procfs.busy_seconds(self._core), procfs.cpu_seconds(each.process.pid)
        report = ask(each)
        time.sleep(_TAIL_SECONDS)
        cpu = procfs.cpu_seconds(each.process.pid) - cpu
        busy = procfs.busy_seconds(self._core) - busy
        # The last question was itself one that the upstream answered.
        answers = self._upstream.answers(each.documents) - answers - 1
        for log in (f"{each.peer.name}.out", f"{each.peer.name}.access.log"):
            empty(self._run / log)
        others = max(0.0, (busy - cpu) / (report["seconds"] + _TAIL_SECONDS))
        return Round(cpu=cpu, answers=answers, unfinished=unfinished, others=others, **report)


def _recalled(running: _Running) -> float | None:
    """Return how many verdicts docwarden has taken from memory; None for other peers."""
    if not running.peer.name.startswith("docwarden"):
        return None
    connection = http.client.HTTPConnection("127.0.0.1", running.admin, timeout=5)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    name = "docwarden_verdicts_recalled_total "
    return next((float(line.removeprefix(name)) for line in lines if line.startswith(name)), None)
