"""image/sweep.sh removes what a killed test run left, and nothing of a run that goes on."""

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from containers import IMAGE, own_name, podman, run, until

SCRIPT = Path(__file__).parents[1] / "sweep.sh"


@pytest.fixture
def start():
    """Start a container with a published port, in a network of the same name."""
    started = []

    def start(name):
        started.append(name)
        podman("network", "create", "--disable-dns", name)
        ways = ("--detach", f"--name={name}", f"--network={name}", "--publish=127.0.0.1::3000")
        podman("run", *ways, IMAGE, "simulate", "--listen=0.0.0.0:3000", "--control=off")
        return int(podman("port", name, "3000").rpartition(":")[2])

    yield start
    for name in started:
        podman("rm", "--force", "--time=0", name, check=False)
        podman("network", "rm", "--force", name, check=False)


def kill(name):
    """End a container and what watches over it, as the end of a sandbox does."""
    pids = podman("inspect", "--format={{.State.ConmonPid}} {{.State.Pid}}", name)
    for pid in map(int, pids.split()):
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: not _runs(pid), limit=10, what=f"process {pid} ends")


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


def left():
    return {
        *podman("ps", "--all", "--format={{.Names}}").splitlines(),
        *podman("network", "ls", "--format={{.Name}}").splitlines(),
    }


def listen_and_connect(port):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        socket.create_connection(("127.0.0.1", port), timeout=10).close()


@pytest.fixture
def ended():
    """The process id of a run that was."""
    process = subprocess.Popen(["true"])
    process.wait(10)
    return process.pid


def test_port_of_a_killed_run_can_be_used_again(start, ended):
    name = f"docwarden-test-{ended}-0a"
    port = start(name)
    kill(name)
    with pytest.raises(ConnectionRefusedError):
        listen_and_connect(port)
    done = subprocess.run([SCRIPT], capture_output=True, text=True, check=True, timeout=60)
    assert f"removing {name}" in done.stderr
    assert name not in left()
    listen_and_connect(port)


@pytest.mark.parametrize("kind", ["pod", "container", "network", "volume"])
def test_each_kind_of_thing_is_removed(kind, ended):
    name = f"docwarden-test-{ended}-0b"
    podman(kind, "create", *(("--name", name, IMAGE) if kind == "container" else (name,)))
    try:
        subprocess.run([SCRIPT], check=True, timeout=60)
        assert run(kind, "inspect", name).returncode != 0
    finally:
        run(kind, "rm", "--force", name)


def test_run_that_goes_on_is_left_alone(start):
    name = own_name()
    start(name)
    subprocess.run([SCRIPT], check=True, timeout=60)
    assert name in left()


def test_host_without_podman_has_nothing_to_sweep(tmp_path):
    (tmp_path / "bash").symlink_to("/bin/bash")
    done = subprocess.run(
        [tmp_path / "bash", SCRIPT],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        check=True,
        timeout=30,
    )
    assert done.stdout + done.stderr == b""
