"""Run a command, and run it anew whenever a source file changes: `python image/dev.py COMMAND...`.

It compares file times twice a second, which costs nothing at this size and needs no library. A
command that ended by itself, as with a syntax error, is started again by the next change only.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "src"
SUFFIXES = {".py", ".html", ".css", ".js"}
PAUSE = 0.5
STOP_LIMIT = 5.0


def times(folder: Path) -> dict[Path, int]:
    """Return when each source file below `folder` was changed last."""
    found = {}
    for path in folder.rglob("*"):
        if path.suffix in SUFFIXES:
            try:
                found[path] = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue  # an editor replaces files by renaming
    return found


def wait_for_change(folder: Path, before: dict[Path, int]) -> Path:
    """Return a file that was changed, added or removed since `before`."""
    while True:
        now = times(folder)
        for path in now.keys() | before.keys():
            if now.get(path) != before.get(path):
                return path
        time.sleep(PAUSE)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the command, by force if it takes longer than it should."""
    process.terminate()
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main(command: Sequence[str], folder: Path = SOURCES) -> int:
    """Run until Ctrl-C."""
    try:
        while True:
            before = times(folder)
            process = subprocess.Popen(command)
            try:
                changed = wait_for_change(folder, before)
            finally:
                stop(process)
            sys.stderr.write(f"\n--- {changed.name} changed: starting again ---\n\n")
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
