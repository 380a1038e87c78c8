"""Where large bodies lie."""

import ctypes
import re
from pathlib import Path

import pytest

from docwarden.net.allocator import unfilled

MIB = 1 << 20
HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage")


@pytest.mark.parametrize("size", [0, 1, 2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 5 * MIB + 4711])
def test_buffer_has_its_size_and_takes_every_byte(size):
    buffer = unfilled(size)
    pattern = (bytes(range(251)) * (size // 251 + 1))[:size]
    memoryview(buffer)[:] = pattern
    assert buffer == pattern


def test_large_buffer_asks_for_huge_pages():
    buffer = unfilled(8 * MIB)
    middle = ctypes.addressof(ctypes.c_char.from_buffer(buffer)) + 4 * MIB
    assert ("hg" in flags_of(middle)) == HUGE_PAGES.exists()


def flags_of(address):
    """Return the flags of the mapping that holds `address` (proc(5), smaps)."""
    within = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        bounds = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
        if bounds:
            within = int(bounds[1], 16) <= address < int(bounds[2], 16)
        elif within and line.startswith("VmFlags:"):
            return line.split()[1:]
    raise AssertionError("no such mapping")
