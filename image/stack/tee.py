"""Run a command and write what it prints to a file, too: `tee.py FILE COMMAND...`.

Docker and podman share no way to hand log lines to a collector that needs no socket of the engine;
a file in a volume works with both. The file is kept small: at its limit it is begun anew.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LIMIT = 16 * 1024 * 1024
PIECE = 65536


def main(file: str, command: Sequence[str]) -> int:
    """Return how the command ended; signals to stop are handed on to it."""
    read, write = os.pipe()
    process = subprocess.Popen(command, stdout=write)
    os.close(write)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: process.send_signal(received))
    with Path(file).open("wb", buffering=0) as log:
        while piece := os.read(read, PIECE):
            os.write(sys.stdout.fileno(), piece)
            if log.tell() + len(piece) > LIMIT:
                log.seek(0)
                log.truncate()
            log.write(piece)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
