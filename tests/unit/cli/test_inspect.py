"""`docwarden inspect`, as a process of its own."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from docwarden.cli.inspect_files import _find
from docwarden.cli.inspect_report import Report

SCRIPT = """
import argparse, sys
from docwarden.cli import inspect
parser = argparse.ArgumentParser(prog="docwarden inspect")
inspect.configure(parser)
sys.exit(inspect.run(parser.parse_args()))
"""
COMMAND = (sys.executable, "-c", SCRIPT)


def run(*arguments, stdin=b"", environment=None):
    return subprocess.run(
        (*COMMAND, *arguments),
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
        env=os.environ | (environment or {}),
    )


@pytest.fixture
def folder(tmp_path, documents):
    (tmp_path / "deeper").mkdir()
    (tmp_path / "a.png").write_bytes(documents["png"])
    (tmp_path / "deeper" / "b.pdf").write_bytes(documents["pdf-table"])
    return tmp_path


def test_intact_files_give_status_zero_and_a_table(folder):
    done = run(folder)
    assert done.returncode == 0, done.stderr
    assert b"2 intact, 0 broken" in done.stdout
    assert b"application/pdf" in done.stdout
    assert b"\x1b" not in done.stdout


def test_json_lines_carry_the_keys_of_the_contract(folder, documents):
    broken = folder / "c.pdf"
    broken.write_bytes(documents["pdf-table"].decode("utf-8", "replace").encode())
    done = run("--json", folder)
    assert done.returncode == 1
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["intact"] for record in records] == [True, False, True]
    for record in records:
        assert {"file", "intact", "media_type", "reason", "tier", "bytes"} <= record.keys()
    assert records[1]["reason"] == "pdf-startxref-wrong"
    assert records[1]["tier"] == 2
    assert records[1]["bytes"] == broken.stat().st_size
    assert "times the UTF-8 bytes of U+FFFD" in records[1]["detail"]


def test_observed_findings_are_told_and_do_not_change_the_status(folder, documents):
    (folder / "a.png").write_bytes(documents["png"] + b"junk")
    done = run("--json", folder / "a.png")
    assert done.returncode == 0
    assert json.loads(done.stdout)["observed"] == ["trailing-bytes"]
    assert run("--checks", "trailing-bytes=enforce", folder / "a.png").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("/nowhere/at-all.pdf",), b"No such file"),
        (("--checks", "nonsense=enforce", "x"), b"no check is named 'nonsense'"),
        (("--tier", "7", "x"), b"invalid choice"),
        (("--max-bytes=-2", "x"), b"'-2' is not a number from 1 to 1073741824"),
        (("--max-bytes", "1000000000000", "x"), b"is not a number from 1 to 1073741824"),
        (("--max-bytes", "9" * 5000, "x"), b"is not a number from 1 to 1073741824"),
        ((), b"required"),
        (("/dev/null",), b"neither a file nor a folder"),
    ],
)
def test_wrong_usage_and_unreadable_files_give_status_two(arguments, words):
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert b"Traceback" not in done.stderr


def test_the_other_files_are_inspected_when_one_is_missing(folder):
    done = run("/nowhere/at-all.pdf", folder)
    assert done.returncode == 2
    assert b"2 intact" in done.stdout


def test_folder_without_files_and_link_to_nowhere_are_told(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "x").symlink_to("/nowhere")
    for name, why in (
        ("empty", "no file in this folder"),
        ("linked", "a link to /nowhere, which does not exist"),
        ("linked/x", "a link to /nowhere, which does not exist"),
    ):
        done = run("--json", tmp_path / name)
        assert (done.returncode, done.stdout) == (2, b"")
        (line,) = done.stderr.decode().splitlines()
        assert line.endswith(f": {why}")


def test_file_above_the_cap_is_said_to_be(folder):
    done = run("--json", "--max-bytes", "100", folder / "a.png")
    assert done.returncode == 1
    assert json.loads(done.stdout)["reason"] == "body-too-large"


def test_standard_input_is_a_file_named_dash(documents):
    done = run("--json", "-", stdin=documents["gif"])
    assert done.returncode == 0
    assert json.loads(done.stdout)["media_type"] == "image/gif"


def test_file_names_of_any_bytes_are_printed_harmlessly(tmp_path):
    (tmp_path / os.fsdecode(b"\x1b[31m\xff.png")).write_bytes(b"x")
    for options in ((), ("--json",)):
        done = run(*options, tmp_path)
        assert done.returncode == 1
        assert b"\x1b" not in done.stdout
        assert done.stderr == b""


def _on_a_terminal(path, environment):
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        (*COMMAND, path), stdout=secondary, stderr=secondary, env=os.environ | environment
    )
    os.close(secondary)
    output = b""
    try:
        while piece := os.read(primary, 65_536):
            output += piece
    except OSError:  # Linux reports the end of a terminal so
        pass
    os.close(primary)
    process.wait(60)
    return output


def test_colour_is_for_terminals_that_want_it(folder):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        os.environ.pop(name, None)
    assert b"\x1b[32m" in _on_a_terminal(folder, {"TERM": "xterm-256color"})
    assert b"\x1b[32m" not in _on_a_terminal(folder, {"TERM": "xterm-256color", "NO_COLOR": "1"})


def test_interrupt_ends_at_once_and_leaves_no_process(folder, documents):
    for number in range(1_500):
        (folder / f"{number}.pdf").write_bytes(documents["pdf-table"] + b"%% %d" % number)
    process = subprocess.Popen(
        (*COMMAND, "--json", folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    workers = _children_of(process.pid)
    assert workers
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in errors
    end = time.monotonic() + 5
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("tier", ["2", "3"])
@pytest.mark.parametrize("silent", ["-", "pipe"])
def test_interrupt_ends_the_wait_for_an_input_too(silent, tier, folder):
    name = silent if silent == "-" else str(folder / silent)
    if silent != "-":
        os.mkfifo(name)
    process = subprocess.Popen(
        (*COMMAND, "--json", "--tier", tier, folder / "a.png", name),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(20) == 130
    finally:
        process.kill()
        _, errors = process.communicate()
    assert b"Traceback" not in errors


def _children_of(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()


def test_reader_of_the_output_may_leave(folder, documents):
    for number in range(200):
        (folder / f"{number}.png").write_bytes(documents["png"])
    process = subprocess.Popen(
        (*COMMAND, "--json", folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(20)


def in_shell(line, *arguments, stdin=b""):
    """Run the command as "$@" of a shell, which closes and redirects what `line` says."""
    return subprocess.run(
        ("/bin/bash", "-c", line, "bash", *COMMAND, *arguments),
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_name_that_no_file_can_have_is_unreadable_and_the_others_are_inspected(folder):
    for name in ("n" * 300, ""):
        done = run("--json", name, folder / "a.png")
        assert done.returncode == 2
        assert b"Traceback" not in done.stderr
        assert [json.loads(line)["intact"] for line in done.stdout.splitlines()] == [True]
        assert done.stderr.startswith(b"docwarden inspect: ")


def test_folder_that_may_be_listed_but_not_entered_is_unreadable(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    report = Report(as_json=True)
    assert list(_find([str(folder)], report)) == [
        str(folder / "a.png"),
        str(folder / "deeper" / "b.pdf"),
    ]  # reading says the rest
    assert list(_find([str(folder / "a.png")], report)) == [str(folder / "a.png")]


@pytest.mark.parametrize("line", ['"$@" <&-', '"$@" >&-', '"$@" >/dev/full'])
@pytest.mark.parametrize("options", [("--json",), ()])
def test_closed_input_and_closed_or_full_output_give_status_two(folder, line, options):
    file = "-" if "<" in line else folder / "a.png"
    done = in_shell(line, *options, file)
    assert done.returncode == 2
    assert done.stderr.startswith(b"docwarden inspect: ")
    assert done.stderr.count(b"\n") == 1


def test_output_that_is_closed_as_well_as_the_errors_gives_status_two(folder):
    assert in_shell('"$@" >&- 2>&-', folder / "a.png").returncode == 2


def test_pipe_given_by_name_is_read(documents):
    done = run("--json", "/dev/stdin", stdin=documents["gif"])
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["bytes"] == len(documents["gif"])
    done = in_shell('"$@" --json <(cat)', stdin=documents["gif"])
    assert done.returncode == 0, done.stderr


def test_pipe_with_more_than_the_cap_has_no_known_size(documents):
    done = run("--json", "--max-bytes", "100", "/dev/stdin", stdin=documents["gif"])
    record = json.loads(done.stdout)
    assert (record["reason"], record["bytes"]) == ("body-too-large", None)
