"""`python -m sidebyside.revisions`: what a request costs here and in another tree.

Both gateways are under load at the same time on one core, so that a change of the machine's mood
meets both within milliseconds. `--in-turn` loads one after the other instead: each has the core's
caches to itself, and a host that others share then moves the ratio by several per cent.
`make bench-against BASE=REVISION` calls it.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from sidebyside import procfs, tools, upstream
from sidebyside.load import Load
from sidebyside.measuring import ends_with_its_children, progress
from sidebyside.peers import Peer, Start, docwarden
from sidebyside.processes import BenchError, Children

_BUILD = Path(__file__).parent.parent.parent / "build" / "bench"
# Every document's verdict is remembered, so the decoders have no part in it.
_SETTINGS = {"INTEGRITY_TIER": "2", "QUEUE_TIMEOUT": "10s"}


@dataclass(slots=True)
class _Gateway:
    """A running gateway, and its CPU microseconds a request in each round."""

    name: str
    port: int
    pid: int
    costs: list[float] = field(default_factory=list)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="sidebyside.revisions", description=__doc__)
    parser.add_argument("--base", required=True, help="root of the other tree")
    parser.add_argument("--base-python", required=True, help="interpreter with its packages")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=3, help="a round")
    parser.add_argument("--in-turn", action="store_true", help="load one after the other")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    with ends_with_its_children():
        gateways = _run(arguments)
    _report(gateways, as_json=arguments.json)


def _run(arguments: argparse.Namespace) -> list[_Gateway]:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise BenchError("two cores are needed: one for the gateways, one for everything else")
    run = _BUILD / "revisions"
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    found = tools.find(_BUILD, sys.executable)
    os.sched_setaffinity(0, {cores[1]})
    base = Path(arguments.base)
    peers = (
        docwarden("base", settings=_SETTINGS, source=base / "src", python=arguments.base_python),
        docwarden("here", settings=_SETTINGS),
    )
    with Children(run) as children:
        load = Load(found, cores[1])
        serving = upstream.start(children, run, found, _BUILD / "documents", cores[1])
        gateways = [
            _start(children, found, run, peer, serving.port("mix"), cores[0]) for peer in peers
        ]

        def ask(gateway: _Gateway, seconds: int) -> float:
            return _cost(load, gateway, arguments.connections, seconds)

        for each in gateways:
            ask(each, 2)
        for number in range(arguments.rounds):
            _round(gateways, lambda each: ask(each, arguments.seconds), in_turn=arguments.in_turn)
            shown = ", ".join(f"{each.name} {each.costs[-1]:.1f}" for each in gateways)
            progress(f"{number + 1}/{arguments.rounds}, CPU us a request: {shown}")
        return gateways


def _start(  # noqa: PLR0913, PLR0917 - what a gateway is started with
    children: Children, found: tools.Tools, run: Path, peer: Peer, upstream_port: int, core: int
) -> _Gateway:
    start = Start(found, run, children.free_port(), children.free_port(), upstream_port, peer.name)
    process = children.start(peer.name, peer.command(start), core=core, environ=peer.environ(start))
    children.await_document(process, start.port, "/1")
    return _Gateway(peer.name, start.port, process.pid)


def _round(gateways: list[_Gateway], cost: Callable[[_Gateway], float], *, in_turn: bool) -> None:
    with ThreadPoolExecutor(1 if in_turn else len(gateways)) as threads:
        costs = list(threads.map(cost, gateways))
    for each, found in zip(gateways, costs, strict=True):
        each.costs.append(found)


def _cost(load: Load, gateway: _Gateway, connections: int, seconds: int) -> float:
    """Return the CPU microseconds that a request costs."""
    before = procfs.cpu_seconds(gateway.pid)
    report = load.at_most(
        gateway.port, path="/7", numbers=None, connections=connections, seconds=seconds
    )
    # One request a connection was under way at the end.
    requests = int(report["requests"]) + connections
    return 1e6 * (procfs.cpu_seconds(gateway.pid) - before) / requests


def _report(gateways: list[_Gateway], *, as_json: bool) -> None:
    base, here = gateways
    ratios = [own / other for own, other in zip(here.costs, base.costs, strict=True)]
    result = {
        "base_us": statistics.median(base.costs),
        "here_us": statistics.median(here.costs),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "rounds": len(ratios),
    }
    if as_json:
        print(json.dumps(result))
        return
    print(f"base {result['base_us']:.1f} us, here {result['here_us']:.1f} us of CPU a request")
    print(
        f"ratio {result['ratio']:.3f} ({result['ratio_min']:.3f} to {result['ratio_max']:.3f}"
        f" in {len(ratios)} rounds)"
    )


if __name__ == "__main__":
    main()
