"""The tables of a run, and the part of the documentation's page that they fill."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sidebyside.bounds import judge
from sidebyside.results import Outcome, Record, Results

BEGIN: Final = "<!-- results: written by `make bench` -->"
_QUIET: Final = 0.05
END: Final = "<!-- end of results -->"


def summary(results: Results) -> str:
    """Return every table of a run as Markdown."""
    parts = [_conditions(results), _bounds(results)]
    for name, outcome in results.outcomes.items():
        parts += [f"## {outcome.title}\n\n{outcome.note}".rstrip(), _costs(outcome)]
        if name == "mix":
            parts += [_life(outcome), _bodies(outcome)]
    return "\n\n".join(parts)


def publish(results: Results, page: Path, images: list[tuple[str, str]]) -> None:
    """Write the tables and `images`, as (path, what is seen), between the page's marks.

    Raises:
        ValueError: the page lacks a mark.
    """
    text = page.read_text()
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks {BEGIN!r} or {END!r}")
    shown = "\n\n".join(f"![{seen}]({path})" for path, seen in images)
    page.write_text(f"{head}{BEGIN}\n\n{shown}\n\n{summary(results)}\n\n{END}{tail}")


def _conditions(results: Results) -> str:
    machine = results.machine
    load = machine["load_average"]
    assert isinstance(load, tuple | list)  # noqa: S101 - written by tools.machine
    kind = "short run" if results.quick else "run"
    told = (
        f"{results.date}, a {kind} of {results.seconds / 60:.0f} minutes on {machine['cores']}"
        f" cores of {machine['processor']}, Linux {machine['kernel']}. The load average before it"
        f" was {load[0]:.1f}, and work outside the benchmark took {results.others:.0%} of the"
        " gateway's core (median of all rounds)."
    )
    if results.others > _QUIET:
        told += " **The machine was busy: times and rates mean little, CPU costs somewhat more.**"
    lines = [
        told,
        "",
        *_table(("program", "version"), [(name, text) for name, text in results.versions.items()]),
    ]
    return "\n".join(lines)


def _bounds(results: Results) -> str:
    rows = [
        (
            each.figure,
            each.bound,
            each.value or "not measured",
            {True: "met", False: "**not met**", None: ""}[each.met],
            each.per_intact,
        )
        for each in judge(results)
    ]
    return "\n".join(
        [
            "## Held against the bounds",
            "",
            *_table(("figure", "bound", "per request", "", "per intact document"), rows),
        ]
    )


def _costs(outcome: Outcome) -> str:
    titles = (
        "gateway",
        "CPU ms per 1000 requests",
        "rounds from, to",
        "per 1000 upstream answers",
        "req/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "errors of requests",
        "PSS after load MB",
    )
    rows = [
        (
            record.title,
            f"{record.cpu:.1f}",
            "{:.1f}, {:.1f}".format(*record.cpu_range),
            f"{record.cpu_per_answer:.1f}",
            f"{record.rate:,.0f}",
            f"{record.p50:.2f}",
            f"{record.p99:.2f}",
            f"{record.p999:.2f}",
            f"{record.errors:,} of {record.requests:,}",
            f"{record.loaded.pss / 1e6:.0f}" if record.loaded else "",
        )
        for record in sorted(outcome.records.values(), key=lambda record: record.cpu)
    ]
    remembered = [
        f"{record.title}: {record.recalled:,.0f} verdicts remembered of"
        f" {sum(each.answers for each in record.rounds):,} answers."
        for record in outcome.records.values()
        if record.recalled is not None
    ]
    return "\n".join([*_table(titles, rows), "", *remembered]).rstrip()


def _life(outcome: Outcome) -> str:
    titles = ("gateway", "start to first 200, s", "idle PSS MB", "idle RSS MB", "PSS after load MB")
    rows = [
        (
            record.title,
            f"{record.start:.2f}" if record.start is not None else "",
            f"{record.idle.pss / 1e6:.0f}" if record.idle else "",
            f"{record.idle.rss / 1e6:.0f}" if record.idle else "",
            f"{record.loaded.pss / 1e6:.0f}" if record.loaded else "",
        )
        for record in outcome.records.values()
    ]
    return "\n".join(_table(titles, rows))


def _bodies(outcome: Outcome) -> str:
    titles = ("gateway", "asked", "intact", "**broken, delivered as 200**", "wrong type", "refused")
    records = [record for record in outcome.records.values() if record.bodies is not None]
    return "\n".join(_table(titles, [_body_row(record) for record in records]))


def _body_row(record: Record) -> tuple[str, ...]:
    seen = record.bodies
    assert seen is not None  # noqa: S101 - filtered above
    counts = (seen.asked, seen.intact, seen.corrupt + seen.unknown, seen.mistyped, seen.refused)
    return (record.title, *(f"{count:,}" for count in counts))


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    align = [
        "---",
        *("---:" if _numeric(rows, column) else "---" for column in range(1, len(titles))),
    ]
    return [f"| {' | '.join(line)} |" for line in (titles, align, *rows)]


def _numeric(rows: Sequence[Sequence[str]], column: int) -> bool:
    return all(row[column][:1].isdigit() for row in rows if row[column])
