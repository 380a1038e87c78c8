"""The receive buffer that all upstream connections of an event loop share.

Each read is consumed before the next begins, so one buffer will do. It is aligned to a page: where
the destination's offset within its page is 1 to 15 bytes past the source's, the kernel's copy of
48,000 bytes takes 21 us instead of 8 (recv(2) on an AMD EPYC with Linux 6.18), and a buffer on the
heap hits that by chance, but then always. A body lies behind its head, which is longer than that,
from where it lies in the kernel's page.
"""

import mmap
from typing import Final

# Five times the simulator's largest document, and about what uvloop itself reads at most.
SIZE: Final = 256 * 1024


class Arrivals:
    """A buffer of `SIZE` bytes.

    Attributes:
        memory: for searching and slicing.
        view: for receiving into.
    """

    __slots__ = ("memory", "view")

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, SIZE)
        self.view = memoryview(self.memory)
