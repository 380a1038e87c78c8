"""Page scans that nobody has seen before, among many cheap documents: who waits for whom.

A thousand requests a second, one in twenty for a page scan of 1239 x 1754 pixels whose bytes are
never the same twice. Latencies count from the moment a request was due.
"""

import asyncio
import io
import itertools
import random
import struct
import sys
import time
import zlib

from PIL import Image, ImageDraw
from tests.load.test_overload import Clients, Seen

from docwarden.simulator.documents import make

RATE = 1000
SECONDS = 8.0
EVERY = 20
SCANS_FROM = 10**6
"""The id of the first page scan."""
LATENCY = 0.005


def page_scan():
    """Return a page of words on white paper, as a PNG, and where another chunk may stand in it."""
    chance = random.Random(16)
    page = Image.new("RGB", (1239, 1754), "white")
    draw = ImageDraw.Draw(page)
    for y in range(60, 1700, 22):
        words = ("".join(chance.choices("abcdefghijklmnop", k=8)) for _ in range(16))
        draw.text((80, y), " ".join(words), fill=(30, 30, 30))
    packed = io.BytesIO()
    page.save(packed, "PNG")
    png = packed.getvalue()
    return png, png.rindex(b"IEND") - 4


class Upstream(asyncio.Protocol):
    """Answers after a few milliseconds, a page scan with a text of its own each time."""

    cheap = make("pdf").body
    scan, at = page_scan()
    serial = itertools.count()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        body = self.cheap
        if int(data.split(b" ", 2)[1][1:]) >= SCANS_FROM:
            text = b"tEXtn\0%032d" % next(self.serial)
            chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
            body = self.scan[: self.at] + chunk + self.scan[self.at :]
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        asyncio.get_running_loop().call_later(LATENCY, self.transport.write, answer)


async def asked(clients, *, scans):
    """Return what became of cheap documents, and of scans, if there are any."""
    cheap, dear = Seen(), Seen()
    start = time.monotonic()
    tasks = []
    for number in range(int(RATE * SECONDS)):
        due = start + number / RATE
        delay = due - time.monotonic()
        if delay > 0.001:
            await asyncio.sleep(delay)
        is_scan = scans and number % EVERY == 0
        path = b"/%d" % (SCANS_FROM + number if is_scan else number % 1000)
        tasks.append(asyncio.ensure_future(clients.get(dear if is_scan else cheap, due, path)))
    await asyncio.gather(*tasks)
    return cheap, dear


async def test_page_scans_do_not_hold_up_cheap_documents(serve):
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", 0, backlog=2000)
    port = server.sockets[0].getsockname()[1]
    gateway = await serve(f"http://127.0.0.1:{port}/{{id}}", log_success_share="0")
    clients = Clients(gateway.port)
    alone, _ = await asked(clients, scans=False)
    cheap, dear = await asked(clients, scans=True)
    served = len(cheap.latencies(200)) / len(cheap.rows)
    sys.stdout.write(
        f"\ncheap {served:.1%} served, p99 {cheap.p99(200) * 1000:.1f} ms,"
        f" {alone.p99(200) * 1000:.1f} without scans; scans"
        f" {len(dear.latencies(200)) / len(dear.rows):.1%}, p99 {dear.p99(200) * 1000:.1f} ms\n"
    )
    clients.close()
    server.close()
    assert served >= 0.99
    assert cheap.p99(200) <= 3 * alone.p99(200)
