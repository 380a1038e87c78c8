"""The work of `docwarden inspect`: find the files, read them, verify them."""

import errno
import os
import stat
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from docwarden.cli.inspect_report import Inspected, Report
from docwarden.integrity.deep.supervisor import DeepChecker
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.verdict import Finding
from docwarden.integrity.verifier import Verifier

STANDARD_INPUT: Final = "-"
DEEP_TIER: Final = 3


async def inspect(names: Iterable[str], policy: Policy, cap: int, report: Report) -> None:
    """Verify every file that `names` refer to, and report each.

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
            report.add(Inspected.of_verdict(file, data, verdict))


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
    """Yield files in a stable order, skipping anything else in folders."""
    for name in names:
        if name == STANDARD_INPUT:
            yield name
            continue
        try:
            mode = os.stat(name).st_mode  # noqa: PTH116 - Path("") is the current folder
        except OSError as error:
            why = _dangling(name) or error.strerror or error
            report.complain(f"{name or repr(name)}: {why}")
            continue
        if stat.S_ISDIR(mode):
            yield from _walk(name, report)
        elif stat.S_ISREG(mode) or stat.S_ISFIFO(mode):
            yield name
        else:
            report.complain(f"{name}: neither a file nor a folder")


def _walk(folder: str, report: Report) -> Iterator[str]:
    unreadable = report.unreadable
    walk = os.walk(
        folder, onerror=lambda error: report.complain(f"{error.filename}: {error.strerror}")
    )
    found = sorted(str(Path(within, name)) for within, _, names in walk for name in names)
    empty = True
    for path in found:
        if why := _dangling(path):
            report.complain(f"{path}: {why}")
        elif _may_be_file(Path(path)):
            empty = False
            yield path
    if empty and report.unreadable == unreadable:
        report.complain(f"{folder}: no file in this folder")


def _dangling(path: str) -> str:
    """Return the target of a dangling link, else an empty text."""
    if os.path.islink(path) and not os.path.exists(path):  # noqa: PTH110, PTH114 - as above
        return f"a link to {os.readlink(path)}, which does not exist"  # noqa: PTH115 - as above
    return ""


def _may_be_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that may be listed, but not entered: reading will tell
        return True


def _read(file: str, cap: int) -> bytes | None:
    """Return the content of `file`, or None if it exceeds `cap` bytes.

    Raises:
        OSError: It cannot be read.
    """
    if file == STANDARD_INPUT:
        if sys.stdin is None:
            raise OSError(errno.EBADF, "standard input is closed")
        data = sys.stdin.buffer.read(cap + 1)
    else:
        with Path(file).open("rb") as source:
            data = source.read(cap + 1)
    return data if len(data) <= cap else None


def _too_large(file: str, cap: int) -> Inspected:
    size = None  # neither standard input nor a pipe says how much there is
    with suppress(OSError):
        if file != STANDARD_INPUT and Path(file).is_file():
            size = Path(file).stat().st_size
    finding = Finding.of(Reason.BODY_TOO_LARGE, f"more than {cap} bytes")
    return Inspected(file, size, None, (finding,), finding)
