"""`python -m sidebyside`: run the comparison; `make bench` and `make bench-quick` call it."""

import argparse
import json
import os
import shutil
import sys
import time
from dataclasses import asdict, fields, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sidebyside import cases, page, plot, tools, upstream
from sidebyside.fresh import FOLDERS
from sidebyside.load import Load
from sidebyside.measuring import Bench, ends_with_its_children, progress
from sidebyside.peers import DOCWARDEN, NGINX
from sidebyside.processes import BenchError, Children
from sidebyside.results import Outcome, Record, Results

ROOT: Final = Path(__file__).parent.parent.parent
BUILD: Final = ROOT / "build" / "bench"
PAGE: Final = ROOT / "docs" / "reference" / "performance-tables.md"
IMAGES: Final = ROOT / "docs" / "images"


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="sidebyside", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the usual mix, in 2 minutes")
    parser.add_argument(
        "--publish", action="store_true", help="renew docs/reference/performance-tables.md"
    )
    parser.add_argument(
        "--only",
        metavar="NAME,...",
        help="measure these cases only (mix, distinct, steady, size-1024, connections-32, logs)",
    )
    parser.add_argument("--scale", type=float, default=1.0, help="times the usual seconds a round")
    parser.add_argument(
        "--peers-python", default=sys.executable, help="interpreter with the Python peers' packages"
    )
    arguments = parser.parse_args()
    with ends_with_its_children():
        results = _run(arguments)
    _write(results)
    print(page.summary(results))
    if arguments.publish and arguments.only:
        progress("not published: the page shows whole runs")
    elif arguments.publish:
        _publish(results)


def _run(arguments: argparse.Namespace) -> Results:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise BenchError("two cores are needed: one for the gateway, one for everything else")
    gateway_core, other_core = cores[:2]
    run = BUILD / "run"
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    found = tools.find(BUILD, arguments.peers_python)
    results = Results(
        quick=arguments.quick,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=tools.machine(),
        versions=tools.versions(found),
    )
    os.sched_setaffinity(0, {other_core})
    started = time.monotonic()
    with Children(run) as children:
        load = Load(found, other_core)
        documents = BUILD / "documents"
        serving = upstream.start(children, run, found, documents, other_core)
        bench = Bench(
            tools=found,
            children=children,
            upstream=serving,
            run=run,
            gateway_core=gateway_core,
            load=load,
        )
        _measure(bench, arguments, results)
    results.seconds = time.monotonic() - started
    return results


def _measure(bench: Bench, arguments: argparse.Namespace, results: Results) -> None:
    quick = arguments.quick
    only = arguments.only.split(",") if arguments.only else None
    for case in cases.quick() if quick else cases.full():
        if only and case.name not in only:
            continue
        if case.numbers:
            upstream.write_distinct(BUILD / "documents")
        scaled = case.scaled(arguments.scale)
        bodies = (
            0
            if case.numbers or case.documents in FOLDERS
            else (300 if quick else 1000)
            if case.name == "mix"
            else 20
        )
        outcome = bench.measure(scaled, bodies=bodies)
        outcome.note = case.note
        results.outcomes[case.name] = outcome
        if case.name == "mix":
            for peer in case.peers:
                if peer.name in outcome.records:
                    times = bench.measure_start(peer, 3 if quick else 7)
                    outcome.records[peer.name].start_seconds = times
        _write(results)
    mix = results.outcomes.get("mix")
    if mix is not None and "steady" in (only or ["steady"]) and bench.has_steady_load:
        results.outcomes["steady"] = bench.measure_steady(
            (NGINX, DOCWARDEN),
            rate=mix.records["docwarden"].rate / 2,
            rounds=3 if quick else 7,
            seconds=(2.5 if quick else 6) * arguments.scale,
        )


def _write(results: Results) -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_plain(results), indent=1)
    (BUILD / "results.json").write_text(text)


def _plain(value: Any) -> Any:
    """Return what JSON can hold, with the medians beside the rounds that they come from."""
    if isinstance(value, Record):
        names = (
            "cpu",
            "cpu_per_answer",
            "rate",
            "p50",
            "p99",
            "p999",
            "requests",
            "errors",
            "start",
        )
        return {**asdict(value), "medians": {name: getattr(value, name) for name in names}}
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    return value


def _publish(results: Results) -> None:
    images = []
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name, seen, svg in _plots(results):
        (IMAGES / f"bench-{name}.svg").write_text(svg)
        images.append((f"../images/bench-{name}.svg", seen))
    page.publish(results, PAGE, images)
    progress(f"renewed {PAGE.relative_to(ROOT)}")


def _plots(results: Results) -> list[tuple[str, str, str]]:
    plots = []
    mix = results.outcomes.get("mix")
    if mix is not None:
        title = "CPU milliseconds per 1000 documents, the usual mix (logarithmic)"
        records = sorted(mix.records.values(), key=lambda record: record.cpu)
        rows = [(each.title.replace("`", ""), each.cpu, each.verifies) for each in records]
        plots.append(("cost", title, plot.bars(title, rows)))
    for name, prefix, across in (
        ("sizes", "size-", "bytes of the document"),
        ("connections", "connections-", "connections"),
    ):
        lines = _lines(results, prefix)
        if any(len(line) > 1 for line in lines.values()):
            title = f"CPU milliseconds per 1000 documents by {across}"
            plots.append((name, title, plot.curves(title, across, lines)))
    return plots


def _lines(results: Results, prefix: str) -> dict[str, list[tuple[float, float]]]:
    lines: dict[str, list[tuple[float, float]]] = {}
    chosen: list[tuple[float, Outcome]] = [
        (float(name.removeprefix(prefix)), outcome)
        for name, outcome in results.outcomes.items()
        if name.startswith(prefix)
    ]
    for x, outcome in sorted(chosen, key=lambda each: each[0]):
        for record in outcome.records.values():
            lines.setdefault(record.title.replace("`", ""), []).append((x, record.cpu))
    return lines


if __name__ == "__main__":
    main()
