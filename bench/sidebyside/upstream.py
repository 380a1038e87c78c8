"""The upstream: nginx with the documents of docwarden's simulator."""

import hashlib
import http.client
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from docwarden.simulator.documents import SampleDocument, make

from sidebyside import fresh
from sidebyside.processes import Children
from sidebyside.tools import Tools

# docwarden remembers 4,096 verdicts. Between two fetches of one file all other numbers come, each
# with bytes of its own, so with more numbers than that none is remembered.
DISTINCT: Final = 4200
SIZES: Final = (1 << 10, 10 << 10, 100 << 10, 1 << 20, 10 << 20)
CONFIGS: Final = Path(__file__).parent.parent / "configs"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A running upstream: its ports, and the digests of the documents that it may send."""

    process: "subprocess.Popen[bytes]"
    mix: int
    distinct: int
    sized: int
    status: int
    fresh: dict[str, tuple[int, int]]
    """Of documents never seen before: port and status port by the name of their folder."""
    intact: dict[str, str]
    """SHA-256 to media type."""
    corrupt: frozenset[str]

    def port(self, documents: str) -> int:
        """Return where documents of a kind come from."""
        return self.fresh[documents][0] if documents in self.fresh else getattr(self, documents)

    def answers(self, documents: str) -> int:
        """Return how many requests it has answered, without those for this number."""
        status = self.fresh[documents][1] if documents in self.fresh else self.status
        connection = http.client.HTTPConnection("127.0.0.1", status, timeout=5)
        try:
            connection.request("GET", "/")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        return int(text.splitlines()[2].split()[2])


def fill(template: str, values: Mapping[str, object]) -> str:
    """Fill `@NAME@` in a configuration of `bench/configs`."""
    text = (CONFIGS / template).read_text()
    user = "user root;" if os.geteuid() == 0 else ""
    for name, value in {"USER": user, **values}.items():
        text = text.replace(f"@{name}@", str(value))
    return text


def start(children: Children, run: Path, tools: Tools, documents: Path, core: int) -> Upstream:
    """Write the documents and start the upstream; it answers when this returns."""
    three = (make("png"), make("pdf"), make("pdf").corrupted())
    ports = {name: children.free_port() for name in ("MIX", "DISTINCT", "SIZED", "STATUS")}
    intact = {each.sha256: each.media_type for each in three if each.intact}
    for each in three:
        _write(documents / f"{each.kind}.{_extension(each)}", each.body)
    for size in SIZES:
        sized = make("png", size)
        _write(documents / "sized" / f"{size}.png", sized.body)
        intact[sized.sha256] = sized.media_type
    config = run / "upstream.conf"
    config.write_text(fill("upstream.nginx.conf.in", {"RUN": run, "DOCUMENTS": documents, **ports}))
    process = children.start(
        "upstream", [tools.nginx, "-p", str(run), "-c", str(config)], core=core
    )
    for path in ("MIX", "STATUS"):
        children.await_document(process, ports[path], "/1")
    return Upstream(
        process,
        ports["MIX"],
        ports["DISTINCT"],
        ports["SIZED"],
        ports["STATUS"],
        _start_fresh(children, tools, documents, core) if tools.go else {},
        intact,
        frozenset(each.sha256 for each in three if not each.intact),
    )


def _start_fresh(
    children: Children, tools: Tools, documents: Path, core: int
) -> dict[str, tuple[int, int]]:
    fresh.write(documents / "fresh")
    ports = {}
    for folder in fresh.FOLDERS:
        port, status = children.free_port(), children.free_port()
        command = [
            str(tools.go_programs / "fresh"),
            *("-listen", f"127.0.0.1:{port}", "-status", f"127.0.0.1:{status}"),
            *("-folder", str(documents / "fresh" / folder)),
        ]
        process = children.start(f"upstream-{folder}", command, core=core)
        children.await_document(process, port, "/1")
        ports[folder] = port, status
    return ports


def write_distinct(documents: Path) -> None:
    """Write every document of the mix in as many versions as there are numbers, each distinct.

    Those of an earlier run are read once: the upstream's disk is not what is measured.
    """
    for each in (make("png"), make("pdf"), make("pdf").corrupted()):
        folder = documents / "distinct" / each.kind
        files = [folder / f"{number}.{_extension(each)}" for number in range(1, DISTINCT + 1)]
        written = files[-1].exists()
        for number, file in enumerate(files, start=1):
            if written:
                file.read_bytes()
            else:
                _write(file, each.numbered(number))


def digest(body: bytes) -> str:
    """Return the SHA-256 that the documents are known by."""
    return hashlib.sha256(body).hexdigest()


def _extension(document: SampleDocument) -> str:
    return document.media_type.rpartition("/")[2]


def _write(path: Path, body: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
