"""Send a signal to a container's first process, from its node: signal_process.py SIGNAL CONTAINER.

It runs inside a pod that sees the node's processes, as a process is deaf to SIGSTOP and SIGKILL
from within its own container when it is the first one there.
"""

# ruff: noqa: T201 - what it prints is its answer

import os
import pathlib
import signal
import sys


def first_process(container):
    """Return the process whose container this is, as the node numbers it."""
    for folder in sorted(pathlib.Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            if container in (folder / "cgroup").read_text():
                return int(folder.name)
        except OSError:  # it ended meanwhile
            continue
    return None


def main(name, container):
    process = first_process(container)
    if process is None:
        sys.exit(f"no process of container {container} here")
    os.kill(process, getattr(signal, name))
    print(f"{name} sent to process {process}")


if __name__ == "__main__":
    main(*sys.argv[1:])
