"""Systems that are broken in one way each, with a real Prometheus that watches them."""

import contextlib
import os
import re
import signal
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from trial.clients import Clients
from trial.gateway import Gateway, running_gateway
from trial.waiting import until
from trial.watch import Watch, running_watch

NOBODY: Final = "http://127.0.0.1:9"
"""An address where nothing listens: a port below 1024 that only the discard service would use."""

Breakage = Callable[["System"], None]


@dataclass(frozen=True, kw_only=True)
class Incident:
    """How a system is set up and broken.

    Attributes:
        settings: of the gateway.
        simulate: flags of the simulator.
        upstream: what the upstream does from the incident on.
        breakage: what else is done to it.
        rate: requests a second.
        crowd: further requests a second during the incident.
        second: settings of a second gateway that Prometheus watches too.
        beside: further addresses that Prometheus is to scrape.
        shows: PromQL that has an answer once the incident is under way.
    """

    settings: dict[str, str] = field(default_factory=dict)
    simulate: tuple[str, ...] = ()
    upstream: dict[str, Any] = field(default_factory=dict)
    breakage: Breakage | None = None
    rate: float = 60
    crowd: float = 0
    second: dict[str, str] | None = None
    beside: tuple[str, ...] = ()
    shows: str


@dataclass
class System:
    """A running system: the gateway that suffers, and what it was started with."""

    watch: Watch
    gateway: Gateway
    settings: dict[str, str]
    stack: contextlib.ExitStack

    def environment(self) -> dict[str, str]:
        """The variables that docs/runbooks/index.md says to set, as a shell would have them."""
        ready = next(
            each for each in self.gateway.events() if each["event.name"] == "process.ready"
        )
        return {
            **os.environ,
            **self.settings,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "USER": "oncall",
            "PUBLIC": self.gateway.url,
            "ADMIN": self.gateway.admin,
            "UPSTREAM": ready["upstream"].removesuffix("/{id}"),
            "PROMETHEUS": self.watch.prometheus,
            "LOG": str(self.gateway.log),
            "DOCWARDEN_ADMIN_LISTEN": self.gateway.admin.removeprefix("http://"),
        }


@contextlib.contextmanager
def running_incident(folder: Path, incident: Incident) -> Iterator[System]:
    """Start a healthy system, give it some traffic, break it, and wait until that shows."""
    with contextlib.ExitStack() as stack:
        gateway = stack.enter_context(
            running_gateway(folder, simulate=incident.simulate, **incident.settings)
        )
        gateways = [gateway]
        if incident.second is not None:
            (folder / "second").mkdir()
            gateways.append(
                stack.enter_context(running_gateway(folder / "second", **incident.second))
            )
        targets = [each.admin for each in gateways] + list(incident.beside)
        watch = stack.enter_context(running_watch(folder, gateway, targets))
        settings = incident.second or incident.settings
        system = System(watch, gateways[-1], settings, stack)
        for each in gateways:
            _traffic(stack, each, incident.rate)
        if incident.rate:
            delivered = 'docwarden_documents_total{outcome="delivered"} > 100'
            until("traffic", lambda: watch.query(delivered))
            until("rates", lambda: watch.query("docwarden:slo_requests:rate5m > 0"))
        gateway.upstream(**incident.upstream)
        _traffic(stack, gateway, incident.crowd, threads=30)
        if incident.breakage:
            incident.breakage(system)
        until(f"an answer to {incident.shows}", lambda: watch.query(incident.shows))
        yield system


def _traffic(
    stack: contextlib.ExitStack, gateway: Gateway, rate: float, *, threads: int = 10
) -> None:
    if rate:
        stack.callback(Clients(gateway.url, threads=threads, rate=rate).stop)


def _again_and_again(system: System, action: Callable[[], None], pause: float) -> None:
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(pause):
            action()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    system.stack.callback(thread.join)
    system.stack.callback(ended.set)


def _stall(system: System) -> None:
    """Let the gateway stand still, as a node that swaps does."""
    process = system.gateway.program.process

    def stop_and_go() -> None:
        process.send_signal(signal.SIGSTOP)
        threading.Event().wait(0.8)
        process.send_signal(signal.SIGCONT)

    _again_and_again(system, stop_and_go, 1.5)


def _kill_deep_checker(system: System) -> None:
    parent = system.gateway.program.process.pid

    def kill() -> None:
        for child in children(parent):
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)

    _again_and_again(system, kill, 0.05)


def children(parent: int) -> list[int]:
    """Return the ids of the processes that this one started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            if re.search(rf"(?m)^PPid:\s{parent}$", status.read_text()):
                found.append(int(status.parent.name))
    return found


def _stop(system: System) -> None:
    system.gateway.program.stop()


def _ask_for_health_only(system: System) -> None:
    def ask() -> None:
        with urllib.request.urlopen(f"{system.gateway.url}/healthz", timeout=10) as answer:
            answer.read()

    _again_and_again(system, ask, 0.2)


def _close_the_receiver(system: System) -> None:
    """Nobody takes what Alertmanager sends any more."""
    system.watch.receiver.close()


INCIDENTS: Final = {
    "dead": Incident(
        upstream={"listening": False},
        shows='docwarden_breaker_state{state="closed"} == 0',
    ),
    "hanging": Incident(
        # Above what the runbook calls slow, as in production, where it is 3 s.
        settings={"DOCWARDEN_ATTEMPT_TIMEOUT": "600ms"},
        upstream={"latency": "1200ms"},
        shows='docwarden_breaker_state{state="closed"} == 0',
    ),
    "slow": Incident(
        upstream={"latency": "700ms"},
        shows='docwarden:slo_errors:ratio_rate5m{slo="latency"} > 0.1',
    ),
    "corrupt": Incident(
        upstream={"mix": {"png": 1, "corrupt-pdf": 9}},
        shows='rate(docwarden_documents_total{outcome="corrupt"}[5s]) > 1',
    ),
    "partial": Incident(
        upstream={"faults": ["status=403:20%"]},
        shows='rate(docwarden_documents_total{outcome="upstream_error"}[5s]) > 1',
    ),
    "overload": Incident(
        settings={"DOCWARDEN_MAX_CONCURRENCY": "8"},
        upstream={"latency": "150ms"},
        crowd=120,
        shows='rate(docwarden_documents_total{outcome="overloaded"}[5s]) > 10',
    ),
    "stalled": Incident(
        # Requests that last, so that each pause meets some: one that comes within a pause begins
        # for the gateway when that is over.
        upstream={"latency": "100ms"},
        breakage=_stall,
        shows="docwarden_event_loop_stall_seconds > 0.5",
    ),
    "deep": Incident(
        simulate=("--distinct",),
        breakage=_kill_deep_checker,
        shows='docwarden_deep_check_failures_total{kind="crash"} > 5',
    ),
    "storeless": Incident(
        settings={
            "DOCWARDEN_STALE_IF_ERROR": "1m",
            "DOCWARDEN_STORE_URL": f"redis://{NOBODY.removeprefix('http://')}/0",
        },
        shows="rate(docwarden_store_errors_total[5s]) > 0",
    ),
    "quiet": Incident(
        breakage=_ask_for_health_only,
        rate=0,
        shows='rate(http_server_request_duration_seconds_count{http_route="/healthz"}[5s]) > 0',
    ),
    "gone": Incident(breakage=_stop, shows="up == 0"),
    "mixed": Incident(
        settings={"DOCWARDEN_REVISION": "good"},
        second={
            "DOCWARDEN_REVISION": "bad",
            "DOCWARDEN_UPSTREAM_URL": f"{NOBODY}/{{id}}",
        },
        beside=(NOBODY,),
        rate=40,
        shows='docwarden_breaker_state{state="closed"} == 0 and on () up == 0',
    ),
    "mute": Incident(
        breakage=_close_the_receiver,
        rate=0,
        shows='ALERTS{alertname="DocwardenDeadMansSwitch"}',
    ),
}
"""By name; a runbook is tried on the one that brings its alert."""
