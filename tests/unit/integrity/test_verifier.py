import asyncio
import gc
import math
import threading
import weakref
import zlib
from typing import Any

import pytest
import xxhash

from docwarden.core.deadline import Deadline
from docwarden.core.fetch import Fetch
from docwarden.fetching.attempt import _in_time
from docwarden.integrity.deep.schedule import DeepChecksFullError, Job
from docwarden.integrity.deep.supervisor import DeepChecker
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.tiers import inspect_bytes
from docwarden.integrity.verdict import Finding, Verdict
from docwarden.integrity.verifier import THREAD_FROM, Verifier


class Deep(DeepChecker):
    """Stands for the deep checker's processes: counts, waits when told, answers as told."""

    def __init__(self, *findings):
        super().__init__()
        self.findings = findings
        self.calls = 0
        self.cancelled = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.full = False

    def submit(self, data, media_type, tier, finish, deadline=math.inf):
        self.calls += 1
        if self.full:
            raise DeepChecksFullError
        job = Job(data, media_type, tier, deadline, finish)
        opened = asyncio.ensure_future(self.gate.wait())
        opened.add_done_callback(lambda _: job.answer(self.findings))
        return job

    def cancel(self, job):
        self.cancelled += not job.done
        job.done = True


async def _until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def test_verdict_of_an_intact_document_says_type_and_etag(documents):
    verdict = await Verifier(policy=Policy()).verify(documents["jpeg"])
    assert verdict.intact
    assert verdict.media_type == "image/jpeg"
    assert verdict.etag == b'"%b"' % xxhash.xxh3_128_hexdigest(documents["jpeg"]).encode()


async def test_equal_bytes_are_checked_once(documents):
    deep = Deep()
    verifier = Verifier(policy=Policy(), deep=deep)
    assert verifier.recall(verifier.digest(documents["jpeg"])) is None
    first = await verifier.verify(documents["jpeg"])
    assert await verifier.verify(bytes(bytearray(documents["jpeg"]))) is first
    assert verifier.recall(verifier.digest(documents["jpeg"])) is first
    assert deep.calls == 1


async def test_equal_bytes_at_the_same_moment_share_one_check(documents):
    deep = Deep()
    deep.gate.clear()
    verifier = Verifier(policy=Policy(), deep=deep)
    tasks = [asyncio.create_task(verifier.verify(documents["jpeg"])) for _ in range(5)]
    await _until(lambda: deep.calls)
    deep.gate.set()
    verdicts = await asyncio.gather(*tasks)
    assert deep.calls == 1
    assert len({id(verdict) for verdict in verdicts}) == 1


async def test_shared_check_goes_on_when_its_first_caller_leaves(documents):
    deep = Deep()
    deep.gate.clear()
    verifier = Verifier(policy=Policy(), deep=deep)
    first = asyncio.create_task(verifier.verify(documents["jpeg"]))
    await _until(lambda: deep.calls)
    second = asyncio.create_task(verifier.verify(documents["jpeg"]))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    deep.gate.set()
    assert (await second).intact
    assert deep.cancelled == 0


async def test_newcomer_that_does_not_wait_yet_is_not_cut_off_by_who_leaves(documents):
    deep = Deep()
    deep.gate.clear()
    verifier = Verifier(policy=Policy(), deep=deep)
    first = asyncio.create_task(verifier.verify(documents["jpeg"]))
    await _until(lambda: deep.calls)
    key = verifier.digest(documents["jpeg"])
    newcomer: Any = verifier.begin(key, documents["jpeg"])
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    deep.gate.set()
    assert (await newcomer).intact


async def test_who_leaves_before_waiting_leaves_nothing_behind(documents):
    verifier = Verifier(policy=Policy(), deep=Deep())
    key = verifier.digest(documents["jpeg"])
    found: Any = verifier.begin(key, documents["jpeg"])
    found.close()
    assert verifier._pending == {}
    found = verifier.begin(key, documents["jpeg"])
    waiting = _in_time(found, Fetch("1", Deadline(5.0)), 0.0)
    waiting.send(None)  # it asks for a task, and its client leaves
    with pytest.raises(asyncio.CancelledError):
        waiting.throw(asyncio.CancelledError())
    assert verifier._pending == {}


async def test_check_that_nobody_waits_for_is_cancelled_and_a_newcomer_starts_anew(documents):
    deep = Deep()
    deep.gate.clear()
    verifier = Verifier(policy=Policy(), deep=deep)
    only = asyncio.create_task(verifier.verify(documents["jpeg"]))
    await _until(lambda: deep.calls)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    deep.gate.set()
    assert (await verifier.verify(documents["jpeg"])).intact
    await _until(lambda: deep.cancelled == 1)
    assert deep.calls == 2


@pytest.mark.parametrize(
    "reason",
    [Reason.DEEP_CHECK_CRASHED, Reason.DEEP_CHECK_TIMEOUT, Reason.DEEP_CHECK_MEMORY],
)
async def test_verdict_that_rests_on_a_failed_deep_check_is_not_remembered(documents, reason):
    deep = Deep(Finding.of(reason, "a bad moment"))
    verifier = Verifier(policy=Policy(), deep=deep)
    verdict = await verifier.verify(documents["jpeg"])
    assert verdict.rejected is not None
    assert verdict.rejected.reason == reason
    assert verifier.recall(verifier.digest(documents["jpeg"])) is None
    deep.findings = ()
    assert (await verifier.verify(documents["jpeg"])).intact


async def test_broken_document_is_remembered_and_never_reaches_the_deep_check(documents):
    deep = Deep()
    verifier = Verifier(policy=Policy(), deep=deep)
    broken = documents["tiff-raw"][:-20]
    assert not (await verifier.verify(broken)).intact
    assert verifier.recall(verifier.digest(broken)) is not None
    assert deep.calls == 0


async def test_full_deep_checks_are_told_to_all_who_wait_and_nothing_is_remembered(documents):
    deep = Deep()
    deep.full = True
    verifier = Verifier(policy=Policy(), deep=deep)
    large = documents["tiff-raw"] + bytes(THREAD_FROM)
    for document in (documents["gif"], large):
        asked = [asyncio.create_task(verifier.verify(document)) for _ in range(2)]
        for outcome in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(outcome, DeepChecksFullError)
        assert verifier.recall(verifier.digest(document)) is None
    assert not verifier._pending
    deep.full = False
    assert (await verifier.verify(documents["gif"])).intact


async def test_small_png_is_decoded_in_place(png_of, documents):
    deep = Deep()
    verifier = Verifier(policy=Policy(), deep=deep)
    head = (b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\0\0\0\0")
    whole = png_of(head, (b"IDAT", zlib.compress(b"\0\0")), (b"IEND", b""))
    for document, intact in (
        (whole, True),
        (png_of(head, (b"IDAT", zlib.compress(b"\0")), (b"IEND", b"")), False),
    ):
        verdict = verifier.begin(verifier.digest(document), document)
        assert isinstance(verdict, Verdict)
        assert verdict.intact is intact
        assert verifier.recall(verifier.digest(document)) is verdict
    assert deep.calls == 0
    assert (await verifier.verify(documents["jpeg"])).intact
    assert deep.calls == 1


async def test_tier_two_policy_asks_for_no_deep_check(documents):
    deep = Deep()
    verifier = Verifier(policy=Policy.parse(tier=2), deep=deep)
    assert (await verifier.verify(documents["pdf-table"])).intact
    assert deep.calls == 0


async def test_observed_finding_is_reported_and_delivered(documents):
    verdict = await Verifier(policy=Policy()).verify(documents["gif"] + b"junk")
    assert verdict.intact
    assert [finding.reason for finding in verdict.findings] == [Reason.TRAILING_BYTES]


async def test_enforced_finding_rejects(documents):
    policy = Policy.parse("trailing-bytes=enforce")
    verdict = await Verifier(policy=policy).verify(documents["gif"] + b"junk")
    assert verdict.rejected is not None
    assert verdict.rejected.reason == Reason.TRAILING_BYTES


async def test_least_recently_used_verdict_is_forgotten_first(documents):
    verifier = Verifier(policy=Policy(), remembered=2)
    one, two, three = (documents[name] for name in ("png", "gif", "jpeg"))
    await verifier.verify(one)
    await verifier.verify(two)
    verifier.recall(verifier.digest(one))
    await verifier.verify(three)
    assert verifier.recall(verifier.digest(two)) is None
    assert verifier.recall(verifier.digest(one)) is not None
    assert verifier.recall(verifier.digest(three)) is not None


async def test_large_document_is_looked_at_outside_the_event_loop(saved, picture, monkeypatch):
    threads = []

    def spy(data, policy):
        threads.append(threading.current_thread())
        return inspect_bytes(data, policy)

    monkeypatch.setattr("docwarden.integrity.verifier.inspect_bytes", spy)
    verifier = Verifier(policy=Policy())
    large = saved(picture(size=(700, 600)), "TIFF")
    assert len(large) >= THREAD_FROM
    assert (await verifier.verify(large)).intact
    assert (await verifier.verify(saved(picture(), "PNG"))).intact
    assert threads[0] is not threading.main_thread()
    assert threads[1] is threading.main_thread()


async def test_nothing_is_pending_after_all_verifications(documents):
    verifier = Verifier(policy=Policy(), deep=Deep())
    await asyncio.gather(*(verifier.verify(document) for document in documents.values()))
    assert not verifier._pending


class Body(bytearray):
    """A document that can be watched, as bytes cannot."""


@pytest.fixture
def no_collection():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
async def test_document_goes_with_its_verdict_and_not_with_the_next_collection(documents):
    deep = Deep()
    body = Body(documents["jpeg"])
    gone = weakref.ref(body)
    await Verifier(policy=Policy(), deep=deep).verify(body)
    assert deep.calls == 1
    del body
    assert gone() is None


@pytest.mark.usefixtures("no_collection")
async def test_document_goes_with_the_last_who_waits_for_it(documents, monkeypatch):
    deep = DeepChecker()
    deep._running, deep._loop = True, asyncio.get_running_loop()
    monkeypatch.setattr(deep, "_dispatch", lambda: None)  # there is no worker ever
    verifier = Verifier(policy=Policy(), deep=deep)
    body = Body(documents["jpeg"])
    gone = weakref.ref(body)
    waiting = asyncio.create_task(verifier.verify(body))
    await _until(lambda: deep.waiting)
    waiting.cancel()
    await asyncio.wait((waiting,))
    del body, waiting
    assert gone() is None
