"""The simulator as a process, seen on the wire by raw sockets and through its control endpoint."""

import contextlib
import gzip
import hashlib
import http.client
import json
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from docwarden.simulator import mangling
from docwarden.simulator.documents import make
from docwarden.simulator.faults.content import ERROR_PAGE
from docwarden.simulator.faults.table import FAULTS

PDF = make("pdf").body
PNG = make("png").body
PATIENCE = 10.0
MAIN = """
import argparse, sys
from docwarden.cli import simulate as command
parser = argparse.ArgumentParser()
command.configure(parser)
sys.exit(command.run(parser.parse_args()))
"""


class Process:
    """A simulator that was started as a command."""

    def __init__(self, *flags: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, "--listen", "127.0.0.1:0", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), self.stop()
        self.port = int(line.rsplit(":", 1)[1])
        self.control_port = 0

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, errors

    def control(self, method: str = "GET", changes: object = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=PATIENCE)
        with contextlib.closing(connection):
            body = None if changes is None else json.dumps(changes)
            connection.request(method, "/", body)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")

    def state(self) -> Any:
        return self.control()[1]

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)

    def ask(self, path: str, *, method: str = "GET", keep_alive: bool = False) -> "Seen":
        with self.connect() as sock:
            send(sock, path, method=method, keep_alive=keep_alive)
            return read_to_the_end(sock)


@pytest.fixture(scope="module")
def shared() -> Iterator[Process]:
    control = free_port()
    process = Process("--control", f"127.0.0.1:{control}")
    process.control_port = control
    yield process
    process.stop()


@pytest.fixture
def simulator(shared: Process) -> Iterator[Process]:
    yield shared
    eventually(lambda: shared.state()["counters"]["open_connections"] == 0)


@dataclass(frozen=True)
class Seen:
    """What came over a connection, and how that ended: closed, reset or open."""

    data: bytes
    ending: str

    @property
    def head(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[2]

    def field(self, name: str) -> list[str]:
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(": ") for line in lines)
        return [value for key, _, value in pairs if key.lower() == name]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def send(sock: socket.socket, path: str, *, method: str = "GET", keep_alive: bool = True) -> None:
    close = "" if keep_alive else "Connection: close\r\n"
    sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{close}\r\n".encode())


def read_to_the_end(sock: socket.socket, limit: int = 2**40, patience: float = PATIENCE) -> Seen:
    sock.settimeout(patience)
    data = bytearray()
    while len(data) < limit:
        try:
            piece = sock.recv(1 << 20)
        except ConnectionResetError:
            return Seen(bytes(data), "reset")
        except TimeoutError:
            return Seen(bytes(data), "open")
        if not piece:
            return Seen(bytes(data), "closed")
        data += piece
    return Seen(bytes(data), "open")


def read_answer(sock: socket.socket) -> bytes:
    answer = http.client.HTTPResponse(sock)
    answer.begin()
    return answer.read()


def eventually(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def unchunked(body: bytes) -> bytes:
    data = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            assert body == b"\r\n"
            return data
        data += body[:length]
        assert body[length : length + 2] == b"\r\n"
        body = body[length + 2 :]


def is_error_page(seen: Seen, status: int) -> bool:
    return (
        seen.data.startswith(b"HTTP/1.1 %d " % status)
        and seen.body == ERROR_PAGE
        and seen.field("content-type") == ["text/html"]
    )


def is_ok(seen: Seen, body: bytes, media_type: str = "application/pdf") -> bool:
    return (
        seen.data.startswith(b"HTTP/1.1 200 OK\r\n")
        and seen.body == body
        and seen.field("content-length") == [str(len(body))]
        and seen.field("content-type") == [media_type]
    )


HALF = PDF[: len(PDF) // 2]
DECLARED = [str(len(PDF))]

# What comes over the wire for each fault at its default, asked for with Connection: close.
WIRE: dict[str, Callable[[Seen], bool]] = {
    "status": lambda seen: is_error_page(seen, 503),
    "not-found": lambda seen: is_error_page(seen, 404),
    "gone": lambda seen: is_error_page(seen, 410),
    "too-many": lambda seen: is_error_page(seen, 429) and seen.field("retry-after") == ["1"],
    "redirect": lambda seen: (
        seen.data.startswith(b"HTTP/1.1 302 Found")
        and seen.field("location") == ["/document/png/redirected"]
    ),
    "html": lambda seen: is_error_page(seen, 200),
    "html-as-document": lambda seen: is_ok(seen, ERROR_PAGE),
    "json": lambda seen: "error" in json.loads(seen.body),
    "empty": lambda seen: is_ok(seen, b""),
    "zeros": lambda seen: is_ok(seen, bytes(len(PDF))),
    "wrong-type": lambda seen: is_ok(seen, PDF, "image/png"),
    "gzip": lambda seen: (
        gzip.decompress(seen.body) == PDF and seen.field("content-encoding") == ["gzip"]
    ),
    "gzip-unlabelled": lambda seen: (
        gzip.decompress(seen.body) == PDF and not seen.field("content-encoding")
    ),
    "flip": lambda seen: (
        len(seen.body) == len(PDF)
        and sum(one != other for one, other in zip(seen.body, PDF, strict=True)) == 8
    ),
    "mangle-utf8": lambda seen: is_ok(seen, mangling.through_utf8(PDF)),
    "mangle-crlf": lambda seen: is_ok(seen, PDF.replace(b"\n", b"\r\n")),
    "mangle-latin1": lambda seen: is_ok(seen, PDF.decode("latin-1").encode()),
    "junk-after": lambda seen: seen.body.startswith(PDF) and len(seen.body) == len(PDF) + 64,
    "junk-before": lambda seen: seen.body.endswith(PDF) and len(seen.body) == len(PDF) + 64,
    "cut": lambda seen: is_ok(seen, HALF),
    "length-short": lambda seen: (
        seen.body == PDF and seen.field("content-length") == [str(len(PDF) - 16)]
    ),
    "length-long": lambda seen: (
        seen.body == PDF and seen.field("content-length") == [str(len(PDF) + 16)]
    ),
    "close-delimited": lambda seen: (
        seen.data.startswith(b"HTTP/1.0 200")
        and seen.body == PDF
        and "-length" not in str(seen.head)
    ),
    "chunked": lambda seen: unchunked(seen.body) == PDF and seen.body.startswith(b"1000\r\n"),
    "chunked-cut": lambda seen: seen.body == b"%x\r\n" % len(HALF) + HALF + b"\r\n",
    "bad-chunk": lambda seen: seen.body.endswith(b"\r\nxyz\r\nabc"),
    "many-headers": lambda seen: seen.head.count(b"\r\nX-Filler-") == 10000 and seen.body == PDF,
    "huge-header": lambda seen: len(seen.field("x-filler")[0]) == 1 << 20 and seen.body == PDF,
    "oversize": lambda seen: (
        len(seen.body) == 64 << 20 and seen.field("content-length") == [str(64 << 20)]
    ),
    "oversize-undeclared": lambda seen: (
        len(seen.body) == 64 << 20 and not seen.field("content-length")
    ),
    "garbage": lambda seen: len(seen.data) == 256 and b"HTTP/" not in seen.data,
    "bad-status-line": lambda seen: seen.data.startswith(b"HTTP/1.1 abc OK\r\n"),
    "conflicting-lengths": lambda seen: (
        seen.field("content-length") == [str(len(PDF)), str(len(PDF) // 2)] and seen.body == PDF
    ),
    "length-and-chunked": lambda seen: (
        seen.field("content-length") == DECLARED
        and seen.field("transfer-encoding") == ["chunked"]
        and unchunked(seen.body) == PDF
    ),
    "continue": lambda seen: seen.data.startswith(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
    ),
    "early-hints": lambda seen: (
        seen.head.startswith(b"HTTP/1.1 103 Early Hints") and seen.body.endswith(PDF)
    ),
    "delay": lambda seen: is_ok(seen, PDF),
    "truncate": lambda seen: seen.body == HALF and seen.field("content-length") == DECLARED,
    "disconnect": lambda seen: seen.data == b"",
    "early-close": lambda seen: is_ok(seen, PDF),
    "stale": lambda seen: is_ok(seen, PDF),
}
# These do not end by closing, or never: each has a test of its own below.
ELSEWHERE = {
    "hang",
    "hang-body",
    "drip",
    "drip-headers",
    "reset",
    "reset-body",
    "refuse",
    "endless-chunked",
    "endless-headers",
}


@pytest.mark.parametrize("fault", WIRE)
def test_fault_looks_on_the_wire_as_it_says(simulator: Process, fault: str) -> None:
    seen = simulator.ask(f"/fault/{fault}/1")
    assert seen.ending == "closed"
    assert WIRE[fault](seen), seen.data[:400]


def test_every_fault_has_a_test_on_the_wire() -> None:
    assert WIRE.keys() | ELSEWHERE == set(FAULTS)


@pytest.mark.parametrize(
    ("fault", "came"), [("hang", 0), ("hang-body", len(PDF) // 2), ("hang-body/0", 0)]
)
def test_hanging_answer_sends_its_part_and_then_nothing(
    simulator: Process, fault: str, came: int
) -> None:
    with simulator.connect() as sock:
        send(sock, f"/fault/{fault}/1")
        seen = read_to_the_end(sock, patience=0.3)
    assert (seen.ending, len(seen.body)) == ("open", came)


@pytest.mark.parametrize(("fault", "body"), [("reset", b""), ("reset-body", HALF)])
def test_reset_is_a_reset_and_not_a_close(simulator: Process, fault: str, body: bytes) -> None:
    seen = simulator.ask(f"/fault/{fault}/1")
    assert (seen.ending, seen.body) == ("reset", body)


def test_reset_comes_only_after_all_that_was_to_be_sent() -> None:
    process = Process("--control", "off", "--size", "16MiB")
    with process.connect() as sock:
        send(sock, "/fault/reset-body/0.5/1")
        seen = read_to_the_end(sock)
    process.stop()
    assert (seen.ending, len(seen.body)) == ("reset", 8 << 20)


@pytest.mark.parametrize("fault", ["endless-chunked", "endless-headers"])
def test_endless_answer_stops_when_the_peer_leaves(simulator: Process, fault: str) -> None:
    with simulator.connect() as sock:
        send(sock, f"/fault/{fault}/1")
        seen = read_to_the_end(sock, limit=4 << 20)
        assert seen.ending == "open"
        assert simulator.state()["counters"]["open_connections"] == 1
    eventually(lambda: simulator.state()["counters"]["open_connections"] == 0)


def test_drip_keeps_to_its_rate(simulator: Process) -> None:
    began = time.monotonic()
    seen = simulator.ask("/fault/drip/40000/1")
    assert seen.body == PDF
    assert time.monotonic() - began >= 0.9 * len(PDF) / 40000


def test_dripped_head_comes_in_small_pieces(simulator: Process) -> None:
    with simulator.connect() as sock:
        send(sock, "/fault/drip-headers/1000/1", keep_alive=False)
        assert len(sock.recv(65536)) < 200
        assert read_to_the_end(sock).data.endswith(PDF)


def test_refusing_resets_everybody_then_refuses_then_recovers(simulator: Process) -> None:
    with simulator.connect() as bystander:
        send(bystander, "/1")
        read_answer(bystander)
        assert simulator.ask("/fault/refuse/300ms/1").ending == "reset"
        assert read_to_the_end(bystander).ending == "reset"
    with pytest.raises(ConnectionRefusedError):
        simulator.connect()
    eventually(lambda: can_connect(simulator))
    assert simulator.ask("/document/pdf/1").body == PDF


def can_connect(simulator: Process) -> bool:
    try:
        simulator.connect().close()
    except ConnectionRefusedError:
        return False
    return True


def test_stale_connection_closes_on_its_second_request(simulator: Process) -> None:
    with simulator.connect() as sock:
        send(sock, "/fault/stale/1")
        assert read_answer(sock) == PDF
        send(sock, "/fault/stale/2")
        assert read_to_the_end(sock) == Seen(b"", "closed")


def test_early_close_waits_for_its_count(simulator: Process) -> None:
    with simulator.connect() as sock:
        send(sock, "/fault/early-close/2/1")
        assert read_answer(sock) == PDF
        send(sock, "/fault/early-close/2/1")
        assert read_to_the_end(sock).body == PDF


def test_extra_bytes_stay_in_front_of_the_next_answer(simulator: Process) -> None:
    with simulator.connect() as sock:
        send(sock, "/fault/length-short/1")
        send(sock, "/fault/empty/1", keep_alive=False)
        assert PDF[-16:] + b"HTTP/1.1 200 OK" in read_to_the_end(sock).data


def test_suffix_chooses_what_is_spoiled_and_parameter_how(simulator: Process) -> None:
    assert simulator.ask("/fault/cut/25%25/7.png").data.startswith(b"HTTP/1.1 400")
    assert simulator.ask("/fault/cut/0.25/7.png").body == PNG[: len(PNG) // 4]
    assert simulator.ask("/fault/status/418/7").data.startswith(b"HTTP/1.1 418 ")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/fault/nonsense/1", b"no fault 'nonsense'; there are "),
        ("/fault/truncate/two/1", b"fault truncate: 'two' is not a share"),
        ("/fault/hang/5/1", b"fault hang takes no parameter"),
        ("/document/poem/1", b"no kind of document: 'poem'"),
        ("/document/file/1", b"need a folder"),
        ("/fault/", b"a path here is"),
    ],
)
def test_path_that_does_not_read_is_explained(simulator: Process, path: str, words: bytes) -> None:
    seen = simulator.ask(path)
    assert seen.data.startswith(b"HTTP/1.1 400 ")
    assert words in seen.body


def test_head_has_the_same_head_and_no_body(simulator: Process) -> None:
    with simulator.connect() as sock:
        send(sock, "/document/png/1", method="HEAD")
        send(sock, "/fault/truncate/1", method="HEAD", keep_alive=False)
        seen = read_to_the_end(sock)
    first, second, rest = seen.data.split(b"\r\n\r\n")
    assert b"Content-Length: %d\r\n" % len(PNG) in first
    assert second.startswith(b"HTTP/1.1 200 OK")
    assert rest == b""


def test_other_methods_are_refused_and_what_is_no_http_too(simulator: Process) -> None:
    seen = simulator.ask("/1", method="DELETE")
    assert seen.data.startswith(b"HTTP/1.1 405 ")
    assert seen.field("allow") == ["GET, HEAD"]
    with simulator.connect() as sock:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
        assert read_to_the_end(sock).data.startswith(b"HTTP/1.1 400 ")


def test_flood_of_requests_or_an_endless_target_is_cut_off(simulator: Process) -> None:
    for flood in (b"GET /fault/hang/1 HTTP/1.1\r\n\r\n" * 200, b"GET /" + b"a" * 200_000):
        with simulator.connect() as sock:
            with contextlib.suppress(OSError):
                sock.sendall(flood)
            assert read_to_the_end(sock).ending == "reset"


def test_peer_that_resets_in_the_middle_leaves_nothing(simulator: Process) -> None:
    for path in ("/fault/hang/1", "/fault/delay/50s/1", "/fault/oversize/1GiB/1"):
        with simulator.connect() as sock:
            send(sock, path)
            eventually(lambda: simulator.state()["counters"]["open_connections"] == 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        eventually(lambda: simulator.state()["counters"]["open_connections"] == 0)


def test_control_breaks_and_mends_it_while_it_runs(simulator: Process) -> None:
    status, state = simulator.control("PUT", {"faults": ["status=500"], "mix": {"png": 1}})
    assert (status, state["behaviour"]["faults"]) == (200, ["status=500"])
    assert is_error_page(simulator.ask("/1"), 500)
    simulator.control("PUT", {"faults": []})
    assert simulator.ask("/1").body == PNG
    simulator.control("PUT", {"listening": False})
    with pytest.raises(ConnectionRefusedError):
        simulator.connect()
    simulator.control("PUT", {"listening": True, "mix": {"png": 50, "pdf": 40, "corrupt-pdf": 10}})
    assert simulator.ask("/document/pdf/1").body == PDF


@pytest.mark.parametrize(
    "changes",
    [
        {"faults": ["nonsense"]},
        {"faults": "hang"},
        {"faults": ["hang", "reset"]},
        {"mix": {"poem": 1}},
        {"mix": {"file": 1}},
        {"mix": {}},
        {"latency": "long"},
        {"capacity": 0},
        {"colour": "red"},
        {"self": 1},
        {"mix": {"png": 10**400}},
        {"mix": {"png": 1e308, "pdf": 1e308}},
        {"capacity": 10**400},
        {"listening": "yes"},
        [],
    ],
)
def test_control_refuses_what_does_not_fit_and_changes_nothing(
    simulator: Process, changes: object
) -> None:
    before = simulator.state()["behaviour"]
    status, answer = simulator.control("PUT", changes)
    assert (status, list(answer)) == (400, ["error"])
    assert simulator.state()["behaviour"] == before


def test_control_answers_other_methods_with_405(simulator: Process) -> None:
    assert simulator.control("DELETE")[0] == 405


def test_control_answers_a_length_beyond_all_numbers_with_400(simulator: Process) -> None:
    with socket.create_connection(("127.0.0.1", simulator.control_port), PATIENCE) as client:
        client.sendall(b"PUT / HTTP/1.1\r\nContent-Length: %b\r\n\r\n" % (b"9" * 5000))
        assert client.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_state_names_every_document_by_its_digest(simulator: Process) -> None:
    digests = {one["kind"]: one["sha256"] for one in simulator.state()["documents"]}
    assert digests["png"] == hashlib.sha256(PNG).hexdigest()
    assert digests["pdf"] == hashlib.sha256(PDF).hexdigest()
    assert digests["corrupt-pdf"] not in (digests["png"], digests["pdf"])


def test_capacity_makes_the_others_wait(simulator: Process) -> None:
    simulator.control("PUT", {"capacity": 2, "latency": "100ms"})
    try:
        began = time.monotonic()
        with contextlib.ExitStack() as stack:
            socks = [stack.enter_context(simulator.connect()) for _ in range(6)]
            for sock in socks:
                send(sock, "/1")
            for sock in socks:
                read_answer(sock)
        assert time.monotonic() - began >= 0.29
    finally:
        simulator.control("PUT", {"capacity": None, "latency": "0s"})


def test_peer_that_leaves_gives_its_place_to_the_next(simulator: Process) -> None:
    simulator.control("PUT", {"capacity": 1})
    try:
        with simulator.connect() as serving, simulator.connect() as waiting:
            send(serving, "/fault/hang/1")
            eventually(lambda: simulator.state()["counters"]["open_connections"] == 2)
            send(waiting, "/fault/hang/2")
        assert simulator.ask("/document/png/1").body == PNG
    finally:
        simulator.control("PUT", {"capacity": None})


def test_accept_delay_leaves_new_connections_unread(simulator: Process) -> None:
    simulator.control("PUT", {"accept_delay": "200ms"})
    try:
        began = time.monotonic()
        assert simulator.ask("/document/png/1").body == PNG
        assert time.monotonic() - began >= 0.19
    finally:
        simulator.control("PUT", {"accept_delay": "0s"})


def test_two_processes_with_one_seed_give_the_same_answers() -> None:
    bodies = []
    for _ in range(2):
        process = Process("--control", "off", "--seed", "11", "--fault", "flip=3:0.2")
        bodies.append([process.ask(f"/{n}").body for n in range(60)])
        process.stop()
    assert bodies[0] == bodies[1]
    assert len(set(bodies[0])) > 3


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signal_stops_it_cleanly_with_connections_open(number: int, status: int) -> None:
    process = Process("--control", "127.0.0.1:0", "--verbose")
    with process.connect() as sock, process.connect() as busy:
        send(sock, "/document/pdf/1")
        assert read_answer(sock) == PDF
        send(busy, "/fault/hang-body/1")
        busy.recv(1)
        returned, errors = process.stop(number)
    assert returned == status
    assert "50 % png, 40 % pdf, 10 % corrupt-pdf" in errors
    assert f"curl -si http://127.0.0.1:{process.port}/7" in errors
    assert "GET '/fault/hang-body/1': pdf, fault hang-body" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--fault", "nonsense"), "no fault 'nonsense'"),
        (("--listen", "here"), "--listen 'here' is not HOST:PORT"),
        (("--documents", "/nonexistent"), "no documents in /nonexistent"),
        (("--size", "10"), "a PNG of 10 bytes cannot be made"),
        (("--distinct", "--mix", "gif=1"), "gif documents cannot be numbered"),
        (("--latency", "uniform=2s..1s"), "the first is above the second"),
    ],
)
def test_wrong_flags_are_one_clear_line(flags: tuple[str, ...], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "--listen", "127.0.0.1:0", *flags],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_port_in_use_names_the_port_and_the_way_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-c", MAIN, "--listen", f"127.0.0.1:{port}", "--control", "off"],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"port {port} is in use" in done.stderr
    assert "--listen 127.0.0.1:PORT" in done.stderr


def test_folder_is_served_with_a_corrupt_share(tmp_path: Path) -> None:
    (tmp_path / "one.pdf").write_bytes(PDF)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "photo.JPG").write_bytes(make("jpeg").body)
    (tmp_path / "notes.txt").write_text("not a document")
    process = Process("--control", "off", "--documents", str(tmp_path))
    bodies = [process.ask(f"/{n}").body for n in range(80)]
    process.stop()
    corrupt = {mangling.through_utf8(PDF), mangling.through_utf8(make("jpeg").body)}
    assert {PDF, make("jpeg").body} < set(bodies) <= {PDF, make("jpeg").body} | corrupt
    assert 1 <= sum(body in corrupt for body in bodies) <= 20
