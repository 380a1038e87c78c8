"""The work of `docwarden inspect`: find the files, read them, verify them."""

import os
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from docwarden.inspect_report import Inspected, Report
from docwarden.integrity.deep import DeepChecker
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.verdict import Finding
from docwarden.integrity.verifier import Verifier

STANDARD_INPUT: Final = "-"
DEEP_TIER: Final = 3


async def inspect(names: Iterable[str], policy: Policy, cap: int, report: Report) -> None:
    """Verify every file that `names` lead to, and report on each.

    Raises:
        WorkerFailedError: The process of the deep checks does not start.
    """
    files = list(_find(names, report))
    async with _verifier(policy) as verifier:
        for file in report.progress(files):
            try:
                data = _read(file, cap)
            except OSError as error:
                report.complain(f"{file}: {error.strerror or error}")
                continue
            if data is None:
                report.add(_too_large(file, cap))
                continue
            verdict = await verifier.verify(data)
            report.add(Inspected.judged(file, data, verdict))


@asynccontextmanager
async def _verifier(policy: Policy) -> AsyncIterator[Verifier]:
    if policy.tier < DEEP_TIER:
        yield Verifier(policy=policy)
        return
    deep = DeepChecker()
    await deep.start()
    try:
        yield Verifier(policy=policy, deep=deep)
    finally:
        await deep.close()


def _find(names: Iterable[str], report: Report) -> Iterator[str]:
    """Yield files in a stable order; what a folder holds besides files is skipped."""
    for name in names:
        path = Path(name)
        if name == STANDARD_INPUT:
            yield name
        elif path.is_dir():
            walk = os.walk(
                path, onerror=lambda error: report.complain(f"{error.filename}: {error.strerror}")
            )
            yield from sorted(
                str(found)
                for folder, _, found_names in walk
                for found_name in found_names
                if (found := Path(folder, found_name)).is_file()
            )
        elif path.exists() and not path.is_file():
            report.complain(f"{name}: neither a file nor a folder")
        else:
            yield name


def _read(file: str, cap: int) -> bytes | None:
    """Return the content of `file`, or None when there is more than `cap` of it.

    Raises:
        OSError: It cannot be read.
    """
    if file == STANDARD_INPUT:
        data = sys.stdin.buffer.read(cap + 1)
    else:
        with Path(file).open("rb") as source:
            data = source.read(cap + 1)
    return data if len(data) <= cap else None


def _too_large(file: str, cap: int) -> Inspected:
    size = None if file == STANDARD_INPUT else Path(file).stat().st_size
    finding = Finding.of(Reason.BODY_TOO_LARGE, f"more than {cap} bytes")
    return Inspected(file, size, None, (finding,), finding)
