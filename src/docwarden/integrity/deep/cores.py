"""The number of usable CPU cores, by the CPU quota and the affinity of this process.

Source: the kernel's cgroup-v2.rst (`cpu.max`) and cgroup-v1/cpu accounting (`cpu.cfs_quota_us`).
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

_ROOT = Path("/")


def usable_cores(root: Path = _ROOT) -> int:
    """Return the whole cores that the quota allows, at least one.

    Args:
        root: Where /proc and /sys are.
    """
    cores = float(len(os.sched_getaffinity(0)))
    for folder, unified in _groups(root):
        with suppress(OSError, ValueError, ZeroDivisionError):
            quota = _quota_v2(folder) if unified else _quota_v1(folder)
            cores = min(cores, quota)
    return max(1, int(cores))


def _groups(root: Path) -> Iterator[tuple[Path, bool]]:
    """Yield the folder of this process's group and of each above it, and whether it is of v2."""
    lines = []
    with suppress(OSError):
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    for line in lines:
        number, controllers, path = line.split(":", 2)
        unified = number == "0" and not controllers
        if not unified and "cpu" not in controllers.split(","):
            continue
        mount = root / "sys/fs/cgroup" / ("" if unified else "cpu")
        # Inside a container the path may be the host's: then only the mount itself exists.
        inner = PurePosixPath(path.lstrip("/"))
        for each in (inner, *inner.parents):
            yield mount / each, unified


def _quota_v2(folder: Path) -> float:
    quota, period = (folder / "cpu.max").read_text().split()
    return float("inf") if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: Path) -> float:
    quota = int((folder / "cpu.cfs_quota_us").read_text())
    return float("inf") if quota < 0 else quota / int((folder / "cpu.cfs_period_us").read_text())
