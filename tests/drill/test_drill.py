"""The drill in its short form: what it tells, how it ends, and that nothing of it is left."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.drill.acts import ACTS
from tests.drill.runbook import meaning

ROOT = Path(__file__).parents[2]
PATIENCE = 240.0


class Run:
    """A drill in a session of its own, as a terminal's."""

    def __init__(self, temporary: Path, *words: str) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.drill", *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": "monitoring", "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        # Whatever happens: a drill that hangs would keep the test from its end.
        self._limit = threading.Timer(PATIENCE, self.end)
        self._limit.start()

    def read(self, until: str = "\0") -> str:
        """Read to a line that has a text, or to the end."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
            if until in line:
                break
        return "".join(self.lines)

    def interrupt(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def is_gone(self) -> bool:
        """Tell whether no process of the session is left."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def end(self) -> None:
        self._limit.cancel()
        if not self.is_gone():
            os.killpg(self.process.pid, signal.SIGKILL)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    runs: list[Run] = []

    def begin(*words: str) -> Run:
        runs.append(Run(tmp_path, *words))
        return runs[-1]

    yield begin
    for run in runs:
        run.end()
        run.process.communicate()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ACTS)
def test_each_way_to_break_is_seen_and_explained(start, tmp_path, name):
    run = start("--only", name, "--no-pager", "--no-recovery")
    told = run.read()
    assert run.process.wait() == 0, told
    act = ACTS[name]
    assert any(title in told for title in act.titles)
    assert act.explained in told.partition("explain  docwarden explain --gateway")[2]
    assert "a client would get" in told
    assert told.endswith("everything was observed as expected\n")
    assert run.is_gone()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.timeout(300)
def test_page_arrives_with_its_runbook(start):
    run = start("--only", "dead", "--no-recovery")
    told = run.read()
    assert run.process.wait() == 0, told
    assert "DocwardenUpstreamDown, critical" in told
    assert "DocwardenUpstreamDown.html, here docs/runbooks/DocwardenUpstreamDown.md" in told
    assert meaning("DocwardenUpstreamDown") in told
    assert run.is_gone()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("moment", ["- documents ", "break "])
def test_ctrl_c_ends_it_and_leaves_nothing(start, tmp_path, moment):
    run = start("--only", "slow", "--no-pager")
    run.read(until=moment)
    run.interrupt()
    told = run.read()
    assert run.process.wait() == 130, told
    assert "Traceback" not in told
    assert run.is_gone()
    assert list(tmp_path.iterdir()) == []


def test_wrong_usage_ends_with_2(start):
    run = start("--only", "nothing")
    assert "invalid choice: 'nothing'" in run.read()
    assert run.process.wait() == 2
