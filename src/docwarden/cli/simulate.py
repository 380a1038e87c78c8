"""`docwarden simulate`: the faulty upstream as a process."""

import argparse
import asyncio
import contextlib
import errno
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop

from docwarden.net.units import Address, parse_address
from docwarden.simulator import quantities
from docwarden.simulator.behaviour import FOLDER_MIX, Behaviour
from docwarden.simulator.faults.table import FAULTS
from docwarden.simulator.server import Configuration, Simulator

_INTERRUPTED = 130  # 128 + SIGINT, what shells expect after Ctrl-C
_USAGE = 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the flags of `docwarden simulate`."""
    add = parser.add_argument
    add(
        "--listen",
        metavar="HOST:PORT",
        default="127.0.0.1:3000",
        help="where to serve documents; port 0 picks a free port (default: %(default)s)",
    )
    add(
        "--control",
        metavar="HOST:PORT",
        default="127.0.0.1:3001",
        help="where to show and change the state, or 'off' (default: %(default)s)",
    )
    add("--seed", type=int, default=0, help="the same seed gives the same answers (default: 0)")
    add(
        "--mix",
        metavar="KIND=WEIGHT,...",
        help="what to serve (default: png=50,pdf=40,corrupt-pdf=10)",
    )
    add(
        "--fault",
        metavar="NAME[=PARAMETER][:SHARE]",
        action="append",
        default=[],
        help="inject this fault into a share of the answers (repeatable): " + ", ".join(FAULTS),
    )
    add(
        "--latency",
        default="0s",
        help="50ms, uniform=10ms..90ms or exponential=50ms, for every answer (default: none)",
    )
    add("--capacity", type=int, metavar="N", help="serve at most N requests at once, queue others")
    add(
        "--accept-delay",
        default="0s",
        metavar="DURATION",
        help="wait this long before serving a new connection",
    )
    add("--documents", type=Path, metavar="DIR", help="serve the files in this folder")
    add("--size", metavar="BYTES", help="make PNG and PDF documents of this size, such as 1MiB")
    add("--distinct", action="store_true", help="make every answer different")
    add("--verbose", action="store_true", help="write a line for each request to stderr")
    # `demo` has longer names for the two flags for addresses, which error messages must give.
    add("--flag-prefix", default="", help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM (return 0) or Ctrl-C (130); return 2 if it cannot start."""
    try:
        simulator = Simulator(_configuration(arguments))
    except (ValueError, OSError) as problem:
        _say(f"docwarden simulate: {problem}")
        return _USAGE
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(simulator, arguments.flag_prefix))


async def _serve(simulator: Simulator, flag_prefix: str) -> int:
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()
    for number, status in ((signal.SIGTERM, 0), (signal.SIGINT, _INTERRUPTED)):
        loop.add_signal_handler(number, _stop, stopped, status)
    try:
        await simulator.start()
    except OSError as problem:
        _say(_explained(problem, simulator.configuration, flag_prefix))
        return _USAGE
    _say(_introduction(simulator))
    with contextlib.suppress(OSError):  # nobody may be reading
        # For scripts.
        sys.stdout.write(f"listening on {simulator.url}\n")
        sys.stdout.write(f"controlled at {simulator.control_url or 'nowhere'}\n")
        sys.stdout.flush()
    try:
        return await stopped
    finally:
        await simulator.close()


def _stop(stopped: asyncio.Future[int], status: int) -> None:
    if not stopped.done():
        stopped.set_result(status)


def _configuration(arguments: argparse.Namespace) -> Configuration:
    listen = _address("--listen", arguments.listen)
    control = None if arguments.control == "off" else _address("--control", arguments.control)
    changes: dict[str, Any] = {
        "faults": arguments.fault,
        "latency": arguments.latency,
        "capacity": arguments.capacity,
        "accept_delay": arguments.accept_delay,
    }
    if arguments.mix or arguments.documents:
        changes["mix"] = arguments.mix or FOLDER_MIX
    return Configuration(
        host=listen.host,
        port=listen.port,
        control_host=control.host if control else "127.0.0.1",
        control_port=control.port if control else None,
        seed=arguments.seed,
        behaviour=Behaviour().changed(changes),
        documents=arguments.documents,
        size=quantities.size(arguments.size) if arguments.size else None,
        distinct=arguments.distinct,
        log=_say if arguments.verbose else None,
    )


def _address(flag: str, text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as problem:
        raise ValueError(f"{flag} {text!r} is not {problem}") from None


def _explained(problem: OSError, configuration: Configuration, flag_prefix: str) -> str:
    ports = [configuration.port]
    if configuration.control_port is not None:
        ports.append(configuration.control_port)
    candidates = " or ".join(str(port) for port in ports if port)
    if problem.errno == errno.EADDRINUSE:
        return (
            f"docwarden simulate: port {candidates} is in use; choose others with"
            f" --{flag_prefix}listen {configuration.host}:PORT and"
            f" --{flag_prefix}control {configuration.control_host}:PORT "
            "(0 takes a free port)"
        )
    return f"docwarden simulate: cannot listen on port {candidates}: {problem.strerror or problem}"


def _introduction(simulator: Simulator) -> str:
    behaviour = simulator.behaviour
    total = sum(behaviour.mix.values())
    mix = ", ".join(f"{100 * weight / total:g} % {kind}" for kind, weight in behaviour.mix.items())
    faults = ", ".join(chosen.text for chosen in behaviour.faults) or "none"
    lines = [
        f"docwarden simulate: {simulator.url} (seed {simulator.configuration.seed})",
        f"  answers  {mix}",
        f"  faults   {faults}; any of them on demand at {simulator.url}/fault/NAME/1",
        f"  try      curl -si {simulator.url}/7 | head -5",
    ]
    if simulator.control_url:
        lines.append(f"  control  curl -s {simulator.control_url}/")
    return "\n".join(lines)


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # a closed stderr must not stop the serving
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is a command
