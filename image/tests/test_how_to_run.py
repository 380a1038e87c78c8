"""docs/how-to/run-the-container.md, read by somebody who types what it says.

Every command is run, with ports, names and addresses of the test's own; `make` is asked what it
would do, since what it does has made the image under test.
"""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from docwarden.simulator.documents import make

from containers import IMAGE, Container, own_name, podman, until
from load import status_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/run-the-container.md").read_text()
BLOCK = re.compile(r"^ *```console\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
# Commands that stand in a sentence; NAME is a gateway's.
IN_TEXT = re.compile(r"`((?:podman|docker) [^`]*\bNAME\b[^`]*|podman stop [^`]*)`")
RELEASED = re.compile(r"ghcr\.io/docwarden/docwarden:[\d.]+|localhost/docwarden:test")


def commands() -> list[str]:
    """Return the commands of the page, in their order."""
    found = []
    for block in BLOCK.findall(PAGE):
        text = re.sub(r"\\\n\s*", "", block)
        found += [line[2:] for line in text.splitlines() if line.startswith("$ ")]
    return found


class Reader:
    """Types commands, and keeps what they started until the end."""

    def __init__(self, folder: Path, upstream: str) -> None:
        self._folder = folder
        self._upstream = upstream
        self._run = own_name()
        self._names: list[str] = []
        self._simulator = ""
        (folder / "incoming").mkdir()
        (folder / "incoming/1.pdf").write_bytes(make("pdf").body)
        (folder / "incoming").chmod(0o755)

    def type(self, command: str) -> str:
        """Run a command as it is meant and return what it writes."""
        words = shlex.split(command)
        if words[0] == "make":
            return self._call("make", "--dry-run", "--directory", str(ROOT), *words[1:])
        if words[0] == "curl":
            port = podman("port", self._names[-1], "8080").splitlines()[0]
            return self._call(*(word.replace("127.0.0.1:8080", port) for word in words))
        assert words[0] == "podman"
        words = [self._own(word) for word in words[1:]]
        if words[:2] == ["network", "create"]:
            return self._call("podman", *words[:2], "--disable-dns", *words[2:])
        image = words.index(IMAGE) if IMAGE in words else None
        if words[0] != "run" or image is None:
            return self._call("podman", *words)
        if words[image + 1 : image + 2] == ["inspect"]:
            return self._call("podman", *words)
        return self._start(words, serves=image + 1 == len(words))

    def _start(self, words: list[str], *, serves: bool) -> str:
        """Start a container in the background, and wait for what the page promises of it."""
        given = words[words.index("--name") + 1] if "--name" in words else None
        name = given or f"{self._run}-{len(self._names)}"
        self._names.append(name)
        named = [] if given else ["--detach", "--name", name]
        output = self._call("podman", "run", *named, *words[1:])
        if serves:
            url = Container(name).url(8080)
            until(lambda: status_of(f"{url}/healthz") == 200, limit=60, what="the gateway")
            assert status_of(f"{url}/7") == 200
        else:
            self._simulator = Container(name).address()
        return output

    def _own(self, word: str) -> str:
        """Return a word with what is the test's own: no port, name or folder is anybody else's."""
        word = RELEASED.sub(IMAGE, word)
        word = re.sub(r"^127\.0\.0\.1:\d+:", "127.0.0.1::", word)
        word = word.replace("http://documents.internal:3000", self._upstream)
        # Containers find each other by name where podman has its plugin for that.
        word = word.replace("http://upstream:", f"http://{self._simulator}:")
        word = word.replace("./incoming", str(self._folder / "incoming"))
        if word == "NAME":
            return self._names[-1]
        return f"{self._run}-{word}" if word in ("demo", "upstream") else word

    def _call(self, *words: str) -> str:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=90)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def close(self) -> None:
        """Remove everything."""
        for name in self._names:
            podman("rm", "--force", "--time=0", name, check=False)
        podman("network", "rm", "--force", f"{self._run}-demo", check=False)


@pytest.fixture(scope="module")
def reader(tmp_path_factory, host):
    reader = Reader(tmp_path_factory.mktemp("reader"), host.start_simulator("--mix=png=60,pdf=40"))
    yield reader
    reader.close()


SHOWS = {
    "curl --head": "200 OK",
    "docwarden config": "DOCWARDEN_LISTEN",
    "docwarden probe ready": '"status":"ok"',
    "os.listdir": "'0'",
    "inspect /documents": "1 intact, 0 broken",
}
"""Part of a command, and of what it has to write."""


@pytest.mark.parametrize("command", commands())
def test_command_of_the_page_does_what_it_says(reader, command):
    output = reader.type(command)
    for part, shown in SHOWS.items():
        if part in command:
            assert shown in output


def test_commands_within_sentences_do_what_they_say(reader):
    found = IN_TEXT.findall(PAGE)
    assert {each.split()[1] for each in found} == {"healthcheck", "stop"}
    for command in found:
        reader.type(command if "NAME" in command else f"{command} NAME")


def test_page_has_the_commands_that_matter():
    assert len(commands()) >= 10
    text = "\n".join(commands())
    assert all(part in text for part in SHOWS)
