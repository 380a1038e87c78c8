"""The commands as a person runs them."""

import importlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from docwarden.cli import demo as demo_command
from docwarden.cli.main import COMMANDS, build_parser, main

PATIENCE = 15


def docwarden(*words, **env):
    return subprocess.run(
        [sys.executable, "-m", "docwarden", *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, **env},
        check=False,
    )


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("command", ["serve", "config", "demo", "probe"])
def test_wrong_setting_stops_with_one_clear_line_and_status_2(command):
    result = docwarden(command, DOCWARDEN_REQUEST_TIMEOUT="soon")
    assert result.returncode == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert "DOCWARDEN_REQUEST_TIMEOUT='soon'" in line
    assert "a duration with its unit" in line


def test_port_in_use_is_named_with_its_setting():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = docwarden("serve", "--listen", address, "--admin-listen", "127.0.0.1:0")
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"docwarden: cannot listen on {address} (DOCWARDEN_LISTEN): ")
    assert line.lower().endswith("address already in use")


def test_config_tells_values_and_origins():
    result = docwarden("config", "--json", DOCWARDEN_WORKERS="3")
    shown = json.loads(result.stdout)
    assert result.returncode == 0
    assert shown["DOCWARDEN_WORKERS"] == {"value": "3", "origin": "environment"}
    assert shown["DOCWARDEN_DRAIN_DELAY"] == {"value": "10s", "origin": "default"}
    table = docwarden("config", DOCWARDEN_STORE_URL="redis://u:hunter2@h:1/0").stdout
    assert "hunter2" not in table
    assert "DOCWARDEN_STORE_URL" in table


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_closed_output_stops_the_gateway_with_one_clear_line(command):
    result = subprocess.run(
        ("/bin/sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "docwarden", command,
         "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"),
        stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("docwarden: standard output is closed")


def test_simulator_that_takes_too_long_stops_the_demo_with_one_clear_line(monkeypatch, capsys):
    monkeypatch.setattr(demo_command, "_READY_SECONDS", 0.0)
    anywhere = ["--simulator-listen", "127.0.0.1:0", "--simulator-control", "127.0.0.1:0"]
    assert main(["demo", *anywhere]) == 2
    told = "docwarden: the simulator has not started within 0 seconds\n"
    assert capsys.readouterr() == ("", told)


# As where only docwarden is installed, without its extra.
WITHOUT_REDIS = """
import sys

sys.modules["redis"] = None
from docwarden.cli.main import main

sys.exit(main())
"""


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_store_whose_client_is_not_installed_stops_the_gateway_with_one_clear_line(command):
    listen = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]
    if command == "demo":
        listen += ["--simulator-listen", "127.0.0.1:0", "--simulator-control", "127.0.0.1:0"]
    store = {"DOCWARDEN_STORE_URL": "redis://127.0.0.1:1/0", "DOCWARDEN_STALE_IF_ERROR": "1h"}
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_REDIS, command, *listen],
        capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, **store}, check=False,
    )  # fmt: skip
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.endswith("pip install 'docwarden[redis]'")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_whose_reader_has_gone_ends_quietly_with_1(unbuffered):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = subprocess.run(
            [sys.executable, "-m", "docwarden", "config"],
            stdout=writing, stderr=subprocess.PIPE, timeout=PATIENCE, check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (result.returncode, result.stderr) == (1, b"")


def test_usage_errors_end_with_2_and_help_with_0():
    assert docwarden("nonsense").returncode == 2
    assert docwarden("--version").stdout.startswith("docwarden ")
    bare, asked = docwarden(), docwarden("--help")
    assert (bare.returncode, bare.stdout, bare.stderr) == (0, asked.stdout, "")
    for command, (_, _, example) in COMMANDS.items():
        result = docwarden(command, "--help")
        assert result.returncode == 0
        assert example in " ".join(result.stdout.split())


def test_ctrl_c_while_a_command_is_loaded_ends_with_130_and_no_traceback(monkeypatch, capsys):
    def interrupt(_name):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", interrupt)
    assert main(["config"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_example_of_each_command_is_one_that_it_takes(command):
    (_, _, example) = COMMANDS[command]
    words = shlex.split(example.removeprefix('eval "$(').removesuffix(')"'))
    assert words.pop(words.index("docwarden")) == "docwarden"
    given = [word for word in words if not word.startswith("DOCWARDEN_")]
    assert build_parser((command,)).parse_args(given).command == command


@pytest.mark.parametrize("words", [("config",), ("config", "--json"), ("completion", "bash")])
@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('exec "$@" >/dev/full', "cannot write to standard output: No space left on device"),
        ('exec "$@" >&-', "standard output is closed"),
    ],
)
def test_output_that_cannot_be_written_is_told_in_one_line(words, line, why):
    result = subprocess.run(
        ("/bin/sh", "-c", line, "sh", sys.executable, "-m", "docwarden", *words),
        stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (2, f"docwarden: {why}\n")


def test_completion_of_bash_knows_commands_and_options():
    script = docwarden("completion", "bash").stdout
    probe = """
        COMP_WORDS=(docwarden $1); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        eval "$2"; COMPREPLY=(); $(complete -p docwarden | sed "s/.*-F \\([^ ]*\\).*/\\1/")
        echo "${COMPREPLY[@]}"
    """

    def completed(typed):
        return subprocess.run(
            ("/bin/bash", "-c", probe, "bash", typed, script),
            capture_output=True, text=True, timeout=PATIENCE, check=True,
        ).stdout.split()  # fmt: skip

    assert completed("ins") == ["inspect"]
    assert completed("serve --up") == ["--upstream-url"]
    assert completed("probe st") == ["startup"]


def test_taken_port_of_the_simulator_is_told_with_the_flags_of_the_demo():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = docwarden("demo", "--simulator-listen", address, "--simulator-control", address)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "--simulator-listen 127.0.0.1:PORT" in line
    assert "--simulator-control 127.0.0.1:PORT" in line


async def test_probe_tells_health_by_its_exit_status(serve, simulator_process):
    gateway = await serve(f"http://127.0.0.1:{simulator_process.port}/{{id}}")
    env = {"DOCWARDEN_ADMIN_LISTEN": f"127.0.0.1:{gateway.admin_port}"}
    for check in ("live", "ready", "startup"):
        result = docwarden("probe", check, **env)
        assert (result.returncode, json.loads(result.stdout)) == (0, {"status": "ok"})
    gateway.process.send_signal(signal.SIGTERM)
    end = time.monotonic() + PATIENCE
    while docwarden("probe", "ready", **env).returncode == 0:
        assert time.monotonic() < end
    await gateway.stop(signal.SIGTERM)
    gone = docwarden("probe", "live", **env)
    assert gone.returncode == 1
    assert "no answer from" in gone.stderr


@pytest.mark.parametrize("timeout", ["nan", "inf", "-1", "0", "1e300", "soon"])
def test_probe_refuses_a_wait_that_is_none(timeout):
    result = docwarden("probe", f"--timeout={timeout}")
    assert (result.returncode, result.stdout) == (2, "")
    assert "--timeout" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.fixture
def demo():
    ports = [free_port() for _ in range(4)]
    process = subprocess.Popen(
        [
            sys.executable, "-m", "docwarden", "demo",
            "--listen", f"127.0.0.1:{ports[0]}",
            "--admin-listen", f"127.0.0.1:{ports[1]}",
            "--simulator-listen", f"127.0.0.1:{ports[2]}",
            "--simulator-control", f"127.0.0.1:{ports[3]}",
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    yield process, ports
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_demo_serves_a_document_and_ctrl_c_leaves_nothing(demo):
    process, ports = demo
    started = time.monotonic()
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/529852", timeout=5) as answer:
                body = answer.read()
                media_type = answer.headers["Content-Type"]
            break
        except OSError:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() - started < PATIENCE
            time.sleep(0.01)
    assert {b"%PDF": "application/pdf", b"\x89PNG": "image/png"}[body[:4]] == media_type
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert f"http://127.0.0.1:{ports[0]}/529852" in told
    for port in ports:
        assert f"127.0.0.1:{port}/" in told, "what was started is named"
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0, "something still listens"
