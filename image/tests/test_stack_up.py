"""`make stack` with a stand-in for the compose command: what it says, and that it cleans up."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "stack/up.sh"


@pytest.fixture
def compose(tmp_path):
    """The command, and the calls that it noted."""
    calls = tmp_path / "calls"
    calls.touch()
    command = tmp_path / "docker-compose"
    command.write_text(
        f'#!/bin/bash\necho "$STACK_IMAGE $*" >>{calls}\n'
        'case "$*" in *logs*) exec sleep 60 ;; up*) exit "${UP:-0}" ;; esac\n'
    )
    command.chmod(0o755)
    return command, calls


def start(compose, *arguments, **variables):
    # By its name: what the script asks of podman's network depends on the host.
    path = f"{compose[0].parent}:{os.environ['PATH']}"
    variables = {"COMPOSE": compose[0].name, "PATH": path, "STACK_IMAGE": "released:1", **variables}
    return subprocess.Popen(
        [SCRIPT, *arguments],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_stack_says_what_to_open_and_is_gone_after_ctrl_c(compose):
    process = start(compose)
    lines = []
    while "Ctrl-C" not in (line := process.stdout.readline()):
        lines.append(line)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert "http://localhost:8183" in "".join(lines)
    called = compose[1].read_text().splitlines()
    assert called[0] == "released:1 up --detach"
    assert called[-1] == "released:1 down"


def test_stack_that_does_not_come_up_is_removed_and_fails(compose):
    process = start(compose, UP="7")
    process.communicate(timeout=30)
    assert process.returncode == 7
    assert compose[1].read_text().splitlines()[-1] == "released:1 down"


def test_wiping_removes_what_was_kept(compose):
    process = start(compose, "wipe")
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert compose[1].read_text() == "released:1 down --volumes\n"


def test_machine_without_any_is_told_what_to_install(tmp_path):
    (tmp_path / "bash").symlink_to("/bin/bash")
    for name in ("dirname", "cat"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    done = subprocess.run(
        [tmp_path / "bash", SCRIPT],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert "podman-compose" in done.stderr
