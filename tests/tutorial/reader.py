"""One who reads a page of the documentation and types what it says, at free ports."""

import asyncio
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 60.0
FENCE = re.compile(r"^ *```(\w*)\n(.*?)\n *```$", re.DOTALL | re.MULTILINE)
KINDS = ("console", "text", "sh", "")
# With the lines that it goes on in.
COMMAND = re.compile(r"(?:.*\\\n)*.*")
COMMENT = re.compile(r"\s{2,}# .*$")
# What differs from run to run and from host to host: dates, ids, times, names of hosts.
VARYING = (
    (re.compile(r"^Date: .*$", re.MULTILINE), "Date: ..."),
    (re.compile(r'("timestamp": )".*"'), r"\1..."),
    (re.compile(r'("service.instance.id": )".*"'), r"\1..."),
    (re.compile(r"\b[0-9a-f]{32}\b(?!\"$)", re.MULTILINE), "<id>"),
    (re.compile(r"dur=\d+\.\d+"), "dur=..."),
    (re.compile(r'ms": \d+\.\d+'), 'ms": ...'),
    (re.compile(r"\b\d+(\.\d+)? ms\b"), "... ms"),
    (re.compile(r"curl/[\d.]+"), "curl/..."),
    (re.compile(r"Retry-After: \d+"), "Retry-After: ..."),
    (re.compile(r"[ \t\r]+$", re.MULTILINE), ""),
)


@dataclass(frozen=True)
class Step:
    """A command of a page, and the output that stands below it."""

    command: str
    said: str = ""


def steps(text, *kinds):
    """Yield the commands in a page's fences of these kinds; without any, in all of its fences.

    A command stands behind `$`, but in fences of `sh` and of no kind, where each line is one.
    """
    for kind, block in FENCE.findall(text):
        assert kind in KINDS, f"are there commands in a fence of {kind}?"
        if kinds and kind not in kinds:
            continue
        if kind in ("sh", ""):
            yield from (Step(line) for line in block.splitlines())
        for step in re.split(r"^\s*\$ ", block, flags=re.MULTILINE)[1:]:
            words = COMMAND.match(step)
            assert words
            yield Step(COMMENT.sub("", words[0]), step[words.end() :].strip("\n"))


def same(text):
    """Return a text without what differs from run to run."""
    for pattern, replacement in VARYING:
        text = pattern.sub(replacement, text)
    return text.strip()


@dataclass(frozen=True)
class Server:
    """A command that serves until it is ended."""

    called: re.Pattern[str]
    ports: tuple[str, ...]  # those of the page
    ready: re.Pattern[str]  # says the real ones

    def freed(self, command):
        """Return the command as it is typed here, with free ports."""
        command = re.sub(r" --listen \S+|\s*&$", "", command)
        command = re.sub(r"(--bind \S+) \d+$", r"\1 0", command)
        free = "--listen 127.0.0.1:0 --control 127.0.0.1:0"
        return command.replace("docwarden simulate", f"docwarden simulate {free}")


SERVERS = (
    Server(
        re.compile(r"docwarden serve\b"),
        ("8080", "8081"),
        re.compile(r'listen":"http://127.0.0.1:(\d+)","admin_listen":"http://127.0.0.1:(\d+)"'),
    ),
    Server(
        re.compile(r"docwarden simulate\b"),
        ("3000", "3001"),
        re.compile(r"listening on \S+:(\d+)\ncontrolled at (?:nowhere|\S+:(\d+))\n"),
    ),
    Server(re.compile(r"python -m http\.server\b"), ("9000",), re.compile(r"port (\d+) ")),
)


def server_of(step):
    """Return what a step starts, or None; one whose output is shown ends by itself."""
    found = (server for server in SERVERS if server.called.search(step.command))
    return None if step.said else next(found, None)


class Reader:
    """Types commands into a shell of a folder; what they start runs until `close`.

    `ports` has the real port for each of the page's, as soon as something listens there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports: dict[str, str] = {}
        self.status = 0
        self._running: dict[Server | None, asyncio.subprocess.Process] = {}

    async def take(self, step, **environ):
        """Do what a step says, and compare what it prints with what the page shows."""
        server = server_of(step)
        if server:
            await self.start(server, step.command, **environ)
        else:
            output = await self.type(step.command, **environ)
            assert same(output) == same(self.located(step.said)), step.command

    async def type(self, command, **environ):
        """Run a command to its end and return what it prints."""
        # As in the shell where the one before was typed.
        shell = await self._shell(f"(exit {self.status}); {self.located(command)}", environ)
        try:
            output, _ = await asyncio.wait_for(shell.communicate(), PATIENCE)
        finally:
            await _end(shell)
        assert shell.returncode is not None
        self.status = shell.returncode
        return output.decode().replace("\r", "")

    async def start(self, server, command, **environ):
        """Start a server and wait until it is ready; one of its kind that runs is ended first."""
        if server in self._running:
            await _end(self._running.pop(server))
        shell = await self._shell(server.freed(self.located(command)), environ)
        self._running[server] = shell
        told = ""
        while not (ready := server.ready.search(told)):
            assert shell.stdout is not None
            line = (await asyncio.wait_for(shell.stdout.readline(), PATIENCE)).decode()
            assert line, f"{command} ended: {told}"
            told += line
        self.ports |= zip(server.ports, ready.groups(), strict=True)

    def located(self, text):
        """Return a text with the real ports in place of the page's."""
        return re.sub(
            r"\b(localhost|127\.0\.0\.1):(\d+)\b",
            lambda m: f"{m[1]}:{self.ports.get(m[2]) or m[2]}",
            text,
        )

    async def close(self):
        """End what was started."""
        while self._running:
            _, shell = self._running.popitem()
            await _end(shell)

    async def _shell(self, line, environ):
        return await asyncio.create_subprocess_exec(
            *("bash", "-c", line),
            cwd=self.folder,
            env=self._environ(line) | environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )

    def _environ(self, line):
        """Return a shell's variables: nothing of ours, and free ports for a gateway."""
        ours = re.compile(r"(DOCWARDEN|OTEL)_")
        given = {name: value for name, value in os.environ.items() if not ours.match(name)}
        given["PATH"] = f"{Path(sys.executable).parent}:{given['PATH']}"
        given["PYTHONUNBUFFERED"] = "1"
        if "docwarden serve" in line:
            given["DOCWARDEN_LISTEN"] = given["DOCWARDEN_ADMIN_LISTEN"] = "127.0.0.1:0"
            given["DOCWARDEN_DRAIN_DELAY"] = "0s"
            given["DOCWARDEN_UPSTREAM_URL"] = self.located("http://127.0.0.1:3000/{id}")
        return given


async def _end(shell):
    """End a shell and all that it runs, and wait until they are gone."""
    if shell.returncode is None:
        os.killpg(shell.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(shell.communicate(), PATIENCE)
        except TimeoutError:
            os.killpg(shell.pid, signal.SIGKILL)
            raise
