"""`make dev`: a changed source file starts the command anew."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from containers import until

SCRIPT = Path(__file__).parents[1] / "dev.py"


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "image").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "image/dev.py").write_bytes(SCRIPT.read_bytes())
    (tmp_path / "src/module.py").write_text("first")
    return tmp_path


@pytest.fixture
def running(tree):
    starts = tree / "starts"
    write = f"import time; open({str(starts)!r}, 'a').write('x'); time.sleep(60)"
    command = [sys.executable, tree / "image/dev.py", sys.executable, "-c", write]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until(lambda: starts.exists() and starts.read_text() == "x", limit=10, what="the start")
    yield process, starts
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130


def test_changed_source_file_starts_the_command_again(tree, running):
    _, starts = running
    (tree / "src/module.py").write_text("second, and longer")
    until(lambda: starts.read_text() == "xx", limit=10, what="the second start")


def test_other_files_change_nothing(tree, running):
    _, starts = running
    (tree / "src/notes.txt").write_text("a note")
    (tree / "src/added.py").write_text("seen after the note")
    until(lambda: len(starts.read_text()) > 1, limit=10, what="the second start")
    assert starts.read_text() == "xx"
