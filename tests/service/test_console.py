"""The console's pages and its events, over real sockets; `tests/console` has the browser."""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from docwarden.admin.console.feed import VIEWERS, Viewer
from docwarden.simulator.server import Simulator

Open = Callable[..., Awaitable["Watching"]]
ASSETS = {
    "/": "text/html; charset=utf-8",
    "/console/style.css": "text/css; charset=utf-8",
    "/console/script.js": "text/javascript; charset=utf-8",
    "/console/charts.js": "text/javascript; charset=utf-8",
    "/console/requests.js": "text/javascript; charset=utf-8",
    "/console/explain.js": "text/javascript; charset=utf-8",
    "/console/write.js": "text/javascript; charset=utf-8",
}


class Watching:
    """An open event stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.head = b""

    @classmethod
    async def begin(cls, port: int, path: str = "/events") -> "Watching":
        watching = cls(*await asyncio.open_connection("127.0.0.1", port))
        watching.writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        watching.head = await asyncio.wait_for(watching._reader.readuntil(b"\r\n\r\n"), 10)
        return watching

    async def event(self, kind: str) -> Any:
        """Return the data of the next event of a kind."""
        while True:
            text = await asyncio.wait_for(self._reader.readuntil(b"\n\n"), 10)
            name, data = text.decode().strip().split("\n")
            if name == f"event: {kind}":
                return json.loads(data.removeprefix("data: "))

    async def sample_with(self, holds: Callable[[Any], Any]) -> Any:
        """Return the first sample in which something holds."""
        async with asyncio.timeout(10):
            while not holds(sample := await self.event("sample")):
                pass
            return sample

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self._reader.read(), 10)

    def close(self) -> None:
        self.writer.close()


@pytest.fixture
async def watch(stack: contextlib.AsyncExitStack) -> Open:
    async def begin(gateway: Any, path: str = "/events") -> Watching:
        watching = await Watching.begin(gateway.admin_port, path)
        stack.callback(watching.close)
        return watching

    return begin


async def until(holds: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(("path", "media_type"), ASSETS.items())
async def test_page_and_what_it_loads_are_served_safely(gateway, path, media_type):
    answer = await gateway.admin(path)
    assert answer.status == 200
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = answer.headers["content-security-policy"]
    for directive in (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'",
        "img-src 'self' data:", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'",
    ):  # fmt: skip
        assert directive in policy.split("; ")
    assert "unsafe" not in policy


async def test_page_loads_nothing_but_its_own_files(gateway):
    page = (await gateway.admin("/")).body.decode()
    loaded = set(re.findall(r'(?:src|href)="([^"#]+)"', page))
    loaded = {f"/{path}" for path in loaded if not path.startswith("data:")}
    assert loaded <= {*ASSETS, "/metrics", "/readyz", "/livez", "/startupz", "/version"}
    for path in loaded:
        assert (await gateway.admin(path)).status == 200
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]*src)", page)


async def test_scripts_never_turn_text_into_markup(gateway):
    for path in ASSETS:
        if path.endswith(".js"):
            script = (await gateway.admin(path)).body.decode()
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", script
            )


async def test_only_reading_is_allowed(gateway):
    for path in ("/", "/events"):
        assert (await status_and_body(gateway, "POST", path))[0] == 405
    assert await status_and_body(gateway, "HEAD", "/events") == (200, b"")
    assert gateway.app.observability.feed.viewers == 0


async def status_and_body(gateway: Any, method: str, path: str) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.admin_port)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), body


async def test_stream_begins_with_what_stays_then_tells_what_changes(gateway, watch):
    watching = await watch(gateway)
    assert b"Content-Type: text/event-stream" in watching.head
    about = await watching.event("about")
    assert about["version"] == (json.loads((await gateway.admin("/version")).body))["version"]
    assert "DOCWARDEN_UPSTREAM_URL" in {each["variable"] for each in about["settings"]}
    assert await watching.event("failures") == []
    sample = await watching.event("sample")
    assert sample["verdict"]["level"] == "good"
    assert sample["details"]["phase"] == "ready"


async def test_sample_has_the_numbers_of_a_scrape(gateway, watch):
    for number in range(30):
        await gateway.get(f"/{number}")
    watching = await watch(gateway)
    sample = await watching.event("sample")
    scraped = await gateway.metrics()
    for outcome, total in sample["metrics"]["docwarden_documents_total"]:
        assert total == scraped[f'docwarden_documents_total{{outcome="{outcome}"}}']
    assert sample["metrics"]["docwarden_concurrency_limit"] == [
        [scraped["docwarden_concurrency_limit"]]
    ]
    exposed = {name.partition("{")[0] for name in scraped}
    assert set(sample["metrics"]) == {n for n in exposed if not n.endswith("_bucket")}


async def test_rates_and_quantiles_follow_from_what_happened_in_between(gateway, watch):
    watching = await watch(gateway)
    await watching.event("sample")
    for number in range(20):
        await gateway.get(f"/{number}")
    sample = await watching.sample_with(lambda sample: sample["short"]["good"] > 0)
    assert sample["short"]["good"] * sample["short"]["seconds"] == pytest.approx(20, abs=3)
    assert 0 < sample["point"]["p50"] <= sample["point"]["p95"] <= sample["point"]["p99"]


async def test_failure_is_told_with_its_reason_and_request_id(
    start_gateway, simulator: Simulator, watch
):
    simulator.behave(faults=["cut"])
    gateway = await start_gateway(simulator.url)
    watching = await watch(gateway)
    assert await watching.event("failures") == []
    answer = await gateway.get("/7", X_Request_ID="told-1")
    assert answer.status == 502
    (failed,) = await watching.event("failures")
    assert failed["request_id"] == "told-1"
    assert failed["reason"] == answer.problem["reason"]
    assert failed["attempts"] == ["corrupt"] * answer.problem["attempts"]
    assert (failed["document_id"], failed["status"]) == ("7", 502)


async def test_requests_that_are_no_failure_of_ours_are_not_among_the_failures(gateway, watch):
    assert (await gateway.get("/no-id")).status == 404
    assert (await gateway.get("/1", "POST")).status == 405
    watching = await watch(gateway)
    assert await watching.event("failures") == []


async def test_secrets_are_masked(start_gateway, simulator, watch):
    gateway = await start_gateway(simulator.url, store_url="redis://me:geheim@127.0.0.1:1/0")
    watching = await watch(gateway)
    about = await watching.event("about")
    assert "geheim" not in json.dumps(about)
    assert "redis://me:********@127.0.0.1:1/0" in {each["value"] for each in about["settings"]}


async def test_readings_are_taken_while_nobody_looks_and_oftener_while_somebody_does(
    start_gateway, simulator, watch, monkeypatch
):
    monkeypatch.setattr("docwarden.admin.console.feed.IDLE_PERIOD", 0.01)
    gateway = await start_gateway(simulator.url)
    feed = gateway.app.observability.feed
    taken = len(feed._history.points)
    await until(lambda: len(feed._history.points) >= taken + 3)
    monkeypatch.setattr("docwarden.admin.console.feed.IDLE_PERIOD", 3600.0)
    # The wait while nobody looks ends with the first who does.
    watching = await watch(gateway)
    await watching.event("sample")
    await watching.event("sample")
    watching.close()
    await until(lambda: feed.viewers == 0)


async def test_defect_met_by_one_reading_is_logged_and_the_next_is_taken(gateway, watch):
    feed = gateway.app.observability.feed
    read, feed._source.read = feed._source.read, fails_once(feed._source.read)
    watching = await watch(gateway)
    assert await watching.event("sample")
    feed._source.read = read
    (event,) = await gateway.events("defect", 1)
    assert event["exception.type"] == "ArithmeticError"


def fails_once(read):
    failed: list[bool] = []

    async def reading(*, tail):
        if not failed:
            failed.append(True)
            raise ArithmeticError("made up")
        return await read(tail=tail)

    return reading


async def test_outage_is_told_with_impact_beginning_and_reason(start_gateway, simulator, watch):
    gateway = await start_gateway(simulator.url)
    watching = await watch(gateway)
    await watching.event("sample")
    simulator.behave(faults=["cut"])
    reasons = {(await gateway.get(f"/{number}")).problem["reason"] for number in range(5)}
    sample = await watching.sample_with(lambda sample: sample["verdict"]["level"] == "bad")
    concern = sample["verdict"]["concerns"][0]
    assert concern["title"] == "No documents delivered"
    assert re.match(
        r"No documents delivered since \d\d:\d\d:\d\d UTC: 5 of 5 requests", concern["text"]
    )
    assert all(f"{reason} x " in concern["text"] for reason in reasons)


async def test_viewers_share_one_reading(gateway, watch):
    first, second = await watch(gateway), await watch(gateway)
    await first.event("sample")
    await second.event("sample")
    one, other = await first.event("sample"), await second.event("sample")
    assert one == other


async def test_late_viewer_is_given_the_history(gateway, watch):
    first = await watch(gateway)
    for _ in range(3):
        await first.event("sample")
    history = await (await watch(gateway)).event("history")
    assert len(history) >= 3
    assert history == sorted(history, key=lambda point: point["t"])


async def test_viewer_too_many_is_turned_away_until_another_leaves(gateway, watch):
    watching = [await watch(gateway) for _ in range(VIEWERS)]
    answer = await gateway.admin("/events")
    assert (answer.status, answer.slug) == (503, "overloaded")
    assert answer.problem["reason"] == "too-many-viewers"
    assert int(answer.headers["retry-after"]) > 0
    watching[0].close()
    await until(lambda: gateway.app.observability.feed.viewers < VIEWERS)
    assert await (await watch(gateway)).event("sample")


async def test_viewer_that_reads_slowly_gets_the_latest_and_holds_no_more(gateway):
    viewer = Viewer(gateway.app.observability.feed, tail=False)
    for number in range(1000):
        viewer.push("sample", b"%d" % number)
        viewer.push("failures", b"[]")
    assert await anext(viewer) == b"event: sample\ndata: 999\n\nevent: failures\ndata: []\n\n"


async def test_streams_end_when_the_process_stops(gateway, watch):
    watching = await watch(gateway)
    await watching.event("sample")
    await asyncio.wait_for(gateway.app.stop(), 3)
    with contextlib.suppress(ConnectionResetError):
        await watching.rest()
    task = gateway.app.observability.feed._task
    assert task is not None
    assert task.done()


async def test_requests_that_end_well_are_told_to_those_who_ask_and_kept_for_nobody_else(
    start_gateway, simulator, watch
):
    gateway = await start_gateway(f"{simulator.url}/document/png/{{id}}")
    successes = gateway.app.parts.successes
    assert (await gateway.get("/1")).status == 200
    assert not successes.watched
    watching = await watch(gateway, "/events/tail")
    assert await watching.event("successes") == []
    answer = await gateway.get("/2")
    while not (told := await watching.event("successes")):
        pass
    assert [(each["document_id"], each["status"], each["attempts"]) for each in told] == [
        ("2", 200, ["intact"])
    ]
    assert told[0]["request_id"] == answer.headers["x-request-id"]
    assert told[0]["media_type"] == "image/png"
    watching.close()
    await watch(gateway)
    await until(lambda: not successes.watched)
    assert successes.newest_first(watched=False) == []
