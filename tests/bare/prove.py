"""What a newcomer does on a bare machine: clone, `make demo`, fetch a document, `make test`.

Runs inside the machine that `run.sh` makes, with nothing but the standard library. Prints what it
saw; the exit status is 0 when all of it was right.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

ORIGIN = Path("/origin/docwarden.bundle")
CLONE = Path.home() / "docwarden"
DOCUMENT = "http://127.0.0.1:8080/529852"
HELD = "http://127.0.0.1:3001/"
ABSENT = ("curl", "pip", "pip3", "gcc", "uv", "node", "docker")
SET_UP_SECONDS = 900.0
TEST_SECONDS = 1800.0
STOP_SECONDS = 10.0
READY_SECONDS = 2.0
INTERRUPTED = (0, -signal.SIGINT, 128 + signal.SIGINT)  # make ends by the signal itself
BEGINNINGS = {"application/pdf": b"%PDF-", "image/png": b"\x89PNG\r\n\x1a\n"}


def main() -> int:
    """Prove it all. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Prove the two commands on a bare machine.")
    parser.add_argument("--without-tests", action="store_true", help="leave `make test` out")
    arguments = parser.parse_args()
    _say_what_is_here()
    subprocess.run(
        ["git", "-c", "advice.detachedHead=false", "clone", "--quiet", ORIGIN, CLONE], check=True
    )
    first = _demo(SET_UP_SECONDS)
    _say(f"make demo, with all set-up: first document after {first:.1f} s")
    again = _demo(STOP_SECONDS)
    _say(f"make demo, once set up: first document after {again:.2f} s")
    _require(again < READY_SECONDS, f"not within {READY_SECONDS} s once set up")
    if not arguments.without_tests:
        _test()
    changed = _output("git", "-C", str(CLONE), "status", "--porcelain")
    _require(not changed, f"the clone is dirty afterwards: {changed}")
    _say("all of it right")
    return 0


def _say_what_is_here() -> None:
    release = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()[0]
    _say(release.partition("=")[2].strip('"'))
    for command in ("python3", "make", "git"):
        _say(_output(command, "--version").splitlines()[0])
    present = [name for name in ABSENT if shutil.which(name)]
    _require(not present, f"this machine is not bare: it has {present}")


def _demo(limit: float) -> float:
    """Run `make demo`, fetch the document, stop it by Ctrl-C. Returns seconds to the document."""
    started = time.monotonic()
    with _started("make", "demo") as demo:
        body, media_type = _until_answered(demo, started + limit)
        seconds = time.monotonic() - started
        _require(body.startswith(BEGINNINGS[media_type]), f"bytes are no {media_type}")
        held = {one["sha256"] for one in _documents()}
        digest = hashlib.sha256(body).hexdigest()
        _require(digest in held, "the bytes are none of the simulator's documents")
        _say(f"GET /529852: 200, {media_type}, {len(body)} bytes, sha256 {digest[:16]}...")
        os.killpg(demo.pid, signal.SIGINT)
        status = demo.wait(STOP_SECONDS)
        _require(status in INTERRUPTED, f"make ended with status {status} after Ctrl-C")
    for url in (DOCUMENT, HELD):
        _require(_get(url) is None, f"{url} still answers after Ctrl-C")
    return seconds


def _documents() -> list[dict[str, str]]:
    answer = _get(HELD)
    if answer is None:
        _fail("the simulator's control endpoint does not answer")
    return list(json.loads(answer[0])["documents"])


@contextlib.contextmanager
def _started(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in a process group of its own, as a terminal does; end it in any case."""
    process = subprocess.Popen(command, cwd=CLONE, start_new_session=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _until_answered(demo: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, str]:
    while (answer := _get(DOCUMENT)) is None:
        _require(demo.poll() is None, f"make demo ended with status {demo.returncode}")
        _require(time.monotonic() < deadline, "make demo did not answer in time")
        time.sleep(0.02)
    return answer


def _get(url: str) -> tuple[bytes, str] | None:
    """Return body and media type; None when nobody listens."""
    try:
        with urllib.request.urlopen(url, timeout=STOP_SECONDS) as answer:
            return answer.read(), answer.headers.get_content_type()
    except urllib.error.HTTPError as error:
        _fail(f"{url} answered {error.code}: {error.read()[:500]!r}")
    except (urllib.error.URLError, ConnectionError):
        return None


def _test() -> None:
    started = time.monotonic()
    with _started("make", "test") as test:
        status = test.wait(TEST_SECONDS)
    _say(f"make test: status {status} after {time.monotonic() - started:.0f} s")
    _require(status == 0, "make test failed")


def _output(*command: str) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _say(what: str) -> None:
    sys.stdout.write(f"bare machine: {what}\n")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        _fail(otherwise)


def _fail(why: str) -> NoReturn:
    sys.exit(f"bare machine: FAILED: {why}")


if __name__ == "__main__":
    sys.exit(main())
