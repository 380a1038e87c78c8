"""Ask a gateway for documents at a steady rate and count what does not arrive intact.

load.py URL RATE keep|fresh runs inside a pod, from the gateway's own image. Open loop: a request
is sent when it is due, however the earlier ones fare. Nothing is asked for twice: what fails is
lost. It begins once the gateway has answered a dozen times in a row, as a cluster takes a second or
two to let a new pod through, says so in a line, and ends at SIGUSR1 or after ten minutes with one
JSON object.
"""

# ruff: noqa: T201 - what it prints is its answer

import asyncio
import collections
import contextlib
import itertools
import json
import signal
import sys
import time
import urllib.parse

SIGNATURES = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "image/gif": b"GIF8",
    "image/webp": b"RIFF",
    "image/tiff": (b"II*\x00", b"MM\x00*"),
}
TIMEOUT = 15.0  # of one request, in seconds
LONGEST = 600.0  # of the whole run, in seconds
LET_IN = 12  # answers in a row before counting begins
MOST_IDLE = 64
SHOWN = 20


class Client:
    """Sends requests to one address and keeps what came of each."""

    def __init__(self, url, keep):
        parts = urllib.parse.urlsplit(url)
        self.host, self.port = parts.hostname, parts.port or 80
        self.keep = keep
        self.idle = []
        self.took = []
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.lost = []

    async def counted(self, number):
        began = time.monotonic()
        what, detail = await self.outcome(number)
        took = time.monotonic() - began
        self.outcomes[what] += 1
        if what.startswith("200 "):
            self.took.append(took)
        else:
            at = time.strftime("%H:%M:%S", time.gmtime(time.time() - took))
            self.lost.append(f"{at} {what} after {took:.3f} s: {detail}")

    async def outcome(self, number):
        """Return what came of one request, beginning with `200 ` if all is well, and details."""
        try:
            async with asyncio.timeout(TIMEOUT):
                return await self.ask(number)
        except (OSError, EOFError, asyncio.IncompleteReadError, ValueError) as error:
            return type(error).__name__, str(error)

    async def connection(self):
        while self.idle:
            reader, writer = self.idle.pop()
            # One that the server has closed is not asked, as any client sees that it is closed.
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection(self.host, self.port)

    async def ask(self, number):
        reader, writer = await self.connection()
        reusable = False
        try:
            close = "" if self.keep else "Connection: close\r\n"
            writer.write(f"GET /{number} HTTP/1.1\r\nHost: {self.host}\r\n{close}\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await reader.readexactly(int(fields.get("content-length", "missing")))
            reusable = self.keep and fields.get("connection") != "close"
        finally:
            if reusable and len(self.idle) < MOST_IDLE:
                self.idle.append((reader, writer))
            else:
                writer.close()
        status, media_type = head[0].split()[1], fields.get("content-type", "")
        if status != "200":
            return status, body[:300].decode("utf-8", "replace")
        if not body[:1024].startswith(SIGNATURES.get(media_type, b"\x00none")):
            return "wrong type", f"{media_type} begins with {body[:8]!r}"
        return f"200 {media_type}", ""

    def summary(self):
        took = sorted(self.took) or [0.0]
        at = {
            share: round(1000 * took[int(share * (len(took) - 1))], 1) for share in (0.5, 0.99, 1)
        }
        return {
            "requests": sum(self.outcomes.values()),
            "lost": len(self.lost),
            "ms": {"p50": at[0.5], "p99": at[0.99], "max": at[1]},
            "outcomes": dict(self.outcomes),
            "examples": self.lost[:SHOWN],
        }


async def let_in(url):
    in_a_row = 0
    client = Client(url, keep=False)
    for number in itertools.count(1):
        what, detail = await client.outcome(number)
        in_a_row = in_a_row + 1 if what.startswith("200 ") else 0
        if in_a_row == LET_IN:
            return
        if number % 50 == 0:
            print(f"not let in yet: {what} {detail}", flush=True)
        await asyncio.sleep(0.05)


async def main(url, rate, how):
    await asyncio.wait_for(let_in(url), 120)
    print("begun", flush=True)
    client = Client(url, keep=how == "keep")
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, ended.set)
    began = time.monotonic()
    under_way = set()
    sent = 0
    while not ended.is_set() and time.monotonic() - began < LONGEST:
        while sent < (time.monotonic() - began) * float(rate):
            sent += 1
            task = asyncio.create_task(client.counted(1000 + sent))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 0.005)
    await asyncio.gather(*under_way)
    print(json.dumps(client.summary()), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
