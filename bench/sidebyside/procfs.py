"""What a process and its children have used, as the kernel counts it (proc(5))."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
# Positions after the command's closing parenthesis: utime, stime, cutime, cstime.
_TIMES: Final = slice(11, 15)


@dataclass(frozen=True, slots=True)
class Memory:
    """Memory of a process tree in bytes; in `pss`, shared pages are shared out."""

    rss: int
    pss: int


def tree(pid: int) -> list[int]:
    """Return `pid` and all its living descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except FileNotFoundError:
                continue
    return found


def cpu_seconds(pid: int) -> float:
    """Return user and system time of `pid` and its children, ended ones and all threads included.

    Raises:
        FileNotFoundError: the process is gone.
    """
    ticks = 0
    for each in tree(pid):
        try:
            stat = Path(f"/proc/{each}/stat").read_text()
        except FileNotFoundError:
            if each == pid:
                raise
            continue
        ticks += sum(int(field) for field in stat.rpartition(")")[2].split()[_TIMES])
    return ticks / _TICKS


def memory(pid: int) -> Memory:
    """Return the memory of `pid` and its children."""
    rss = pss = 0
    for each in tree(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except FileNotFoundError:
            continue
        for line in lines:
            name, _, value = line.partition(":")
            if name == "Rss":
                rss += int(value.split()[0]) * 1024
            elif name == "Pss":
                pss += int(value.split()[0]) * 1024
    return Memory(rss, pss)


def busy_seconds(core: int) -> float:
    """Return how long a core has worked for anybody; sampled at clock ticks, so a rough figure."""
    name = f"cpu{core} "
    line = next(
        line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(name)
    )
    user, nice, system, _idle, _waiting, irq, softirq = (int(each) for each in line.split()[1:8])
    return (user + nice + system + irq + softirq) / _TICKS
