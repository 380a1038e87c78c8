"""Lines on their way to a descriptor."""

import os
import threading

from docwarden.logs import open_log

# More than a pipe holds (64 KiB).
LINES = 2_000


def test_pipe_that_does_not_block_loses_no_line_to_a_late_reader():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    log = open_log(format_name="json", level="info", descriptor=writing)
    for number in range(LINES):
        log.event("info", "test", number=number, text="a" * 100)
    closing = threading.Thread(target=log.close)
    closing.start()
    got = bytearray()
    while got.count(b"\n") < LINES:
        piece = os.read(reading, 1 << 16)
        assert piece
        got += piece
    closing.join()
    os.close(writing)
    os.close(reading)
    assert log.dropped == 0
