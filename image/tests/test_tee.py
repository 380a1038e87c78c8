"""image/stack/tee.py: what a command prints is in a file, too, and it keeps its signals."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "stack/tee.py"
UNTIL_TERMINATED = """\
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print("stopped", flush=True), sys.exit(3)))
print("ready", flush=True)
while True:
    signal.pause()
"""


@pytest.fixture
def tee(tmp_path):
    def start(text):
        command = [sys.executable, SCRIPT, tmp_path / "log", sys.executable, "-c", text]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    return start


def test_lines_are_printed_and_written(tee, tmp_path):
    process = tee("print('one'); print('two')")
    assert process.communicate(timeout=30)[0] == "one\ntwo\n"
    assert process.returncode == 0
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


def test_signal_reaches_the_command_whose_last_line_and_status_are_kept(tee, tmp_path):
    process = tee(UNTIL_TERMINATED)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=30)[0] == "stopped\n"
    assert process.returncode == 3
    assert (tmp_path / "log").read_text() == "ready\nstopped\n"


def test_file_stays_small(tee, tmp_path):
    process = tee("import sys\nfor _ in range(40): sys.stdout.write('x' * 1023 * 1024 + chr(10))")
    out, _ = process.communicate(timeout=60)
    assert len(out) == 40 * (1023 * 1024 + 1)
    assert (tmp_path / "log").stat().st_size <= 16 * 1024 * 1024
