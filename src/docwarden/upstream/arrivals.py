"""Where bytes from the upstream arrive before they are put in their place.

All connections of a loop share one buffer, as each read is done with before the next begins. It
begins at a page: processors of the AMD Zen family copy at a third of their speed where the
destination's offset within a page is 1 to 15 bytes past the source's, which a buffer on the heap
hits by chance and then always. A body lies behind its head, further than that from where it lies
in the kernel's page.
"""

import mmap
from typing import Final

# More than a document usually has, less than a socket holds (tcp_rmem).
SIZE: Final = 256 * 1024


class Arrivals:
    """A buffer of `SIZE` bytes.

    Attributes:
        memory: as a file, to be searched and sliced.
        view: as what is written into.
    """

    __slots__ = ("memory", "view")

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, SIZE)
        self.view = memoryview(self.memory)
