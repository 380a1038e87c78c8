"""The deep checker with real processes: what crashes, hangs or eats memory is a failed check."""

import asyncio
import io
import os
import sys
import textwrap
import time
from pathlib import Path

import pikepdf
import pytest
import uvloop
from PIL import Image

from docwarden.integrity.deep import protocol
from docwarden.integrity.deep.process import DeepProcess, WorkerFailedError, worker_command
from docwarden.integrity.deep.supervisor import DeepChecker
from docwarden.integrity.formats.pdf import PdfReason
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.verifier import Verifier

POLICY = Policy()


@pytest.fixture(scope="session")
def png():
    target = io.BytesIO()
    Image.linear_gradient("L").save(target, "PNG")
    return target.getvalue()


@pytest.fixture(scope="session")
def pdf():
    document = pikepdf.new()
    page = document.add_blank_page()
    page.Contents = document.make_stream(b"0 0 m 100 700 l S\n" * 200)
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


@pytest.fixture
def hostile_command(tmp_path):
    """Return the command of a worker whose PNG judge obeys the document's last bytes."""
    script = tmp_path / "hostile.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, signal, sys, time
            from docwarden.integrity.deep import worker as deep_worker
            from docwarden.integrity.reasons import Reason

            def judge(data, tier):
                if data.endswith(b"crash"):
                    os.kill(os.getpid(), signal.SIGSEGV)
                if data.endswith(b"raise"):
                    raise RuntimeError("a bug of a library")
                if data.endswith(b"hang"):
                    time.sleep(3600)
                if data.endswith(b"spin"):
                    while True:
                        pass
                if data.endswith(b"eat"):
                    hoard = [bytearray(64 << 20) for _ in range(64)]
                if data.endswith(b"slow"):
                    time.sleep(0.3)
                if data.endswith(b"talk"):
                    print("words of a library", flush=True)
                    os.write(1, b"more of them")
                if data.endswith(b"lie"):
                    os.write(int(sys.argv[0] == ""), b"")
                    deep_worker.protocol.write(ANSWERS, b'[["no-such-reason", "x"]]')
                if data.endswith(b"nest"):
                    deep_worker.protocol.write(ANSWERS, b"[" * 60_000)
                if data.endswith(b"signal"):
                    os.kill(os.getpid(), signal.SIGRTMIN + 6)
                if data.endswith((b"fork", b"flee")):
                    if os.fork() == 0:
                        if data.endswith(b"flee"):
                            os.setsid()
                        time.sleep(8)
                        os._exit(0)
                    os._exit(3)
                if data.endswith(b"shout"):
                    deep_worker.protocol.write(ANSWERS, b"x" * 100_000)
                if data.endswith(b"tell"):
                    secret = sorted(os.environ) + os.listdir("/proc/self/fd")
                    return [(Reason.IMAGE_UNDECODABLE, " ".join(secret))]
                return []

            real_pipes = deep_worker._take_pipes
            def pipes():
                global ANSWERS
                jobs, ANSWERS = real_pipes()
                return jobs, ANSWERS
            deep_worker._take_pipes = pipes
            deep_worker.load_decoder = lambda media_type: judge
            sys.exit(deep_worker.main())
            """
        )
    )
    return (sys.executable, "-s", "-P", str(script))


@pytest.fixture
async def hostile(hostile_command):
    deep = DeepChecker(command=hostile_command, job_limit=1.0, memory_limit=300 << 20)
    await deep.start()
    yield deep
    await deep.close()
    assert children() == []


def children():
    """Return the processes of this one that run a deep worker, zombies included."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        own = int(fields[1]) == os.getpid()
        if own and (fields[0] == "Z" or b"deep.worker" in command or b"hostile" in command):
            found.append(int(stat.parent.name))
    return found


async def look(deep, data):
    return [finding.reason for finding in await deep.check(data, "image/png", POLICY)]


async def test_intact_documents_pass_and_broken_ones_are_found(png, pdf):
    deep = DeepChecker()
    await deep.start()
    try:
        assert await deep.check(png, "image/png", POLICY) == ()
        assert await deep.check(pdf, "application/pdf", POLICY) == ()
        damaged = pdf[:200] + pdf[240:]
        findings = await deep.check(damaged, "application/pdf", POLICY)
        assert [finding.reason for finding in findings] == [PdfReason.UNREADABLE]
        assert "0x" not in findings[0].detail
        assert (deep.crashes, deep.timeouts, deep.memory_failures, deep.restarts) == (0, 0, 0, 0)
    finally:
        await deep.close()
    assert children() == []


def test_deep_checks_work_under_uvloop(png):
    async def once():
        deep = DeepChecker()
        await deep.start()
        try:
            return await deep.check(png, "image/png", POLICY)
        finally:
            await deep.close()

    assert uvloop.run(once()) == ()
    assert children() == []


@pytest.mark.parametrize(
    ("order", "reason", "counter"),
    [
        (b"crash", Reason.DEEP_CHECK_CRASHED, "crashes"),
        (b"raise", Reason.DEEP_CHECK_CRASHED, "crashes"),
        (b"lie", Reason.DEEP_CHECK_CRASHED, "crashes"),
        (b"shout", Reason.DEEP_CHECK_CRASHED, "crashes"),
        (b"nest", Reason.DEEP_CHECK_CRASHED, "crashes"),
        (b"signal", Reason.DEEP_CHECK_CRASHED, "crashes"),
        (b"fork", Reason.DEEP_CHECK_TIMEOUT, "timeouts"),
        (b"hang", Reason.DEEP_CHECK_TIMEOUT, "timeouts"),
        (b"spin", Reason.DEEP_CHECK_TIMEOUT, "timeouts"),
        (b"eat", Reason.DEEP_CHECK_MEMORY, "memory_failures"),
    ],
)
async def test_failure_is_a_finding_and_the_next_document_passes(hostile, order, reason, counter):
    assert await look(hostile, order) == [reason]
    assert getattr(hostile, counter) == 1
    assert await look(hostile, b"fine") == []
    assert hostile.restarts == 1


async def test_hanging_document_is_given_up_at_its_limit(hostile):
    began = time.monotonic()
    await look(hostile, b"hang")
    assert 0.9 < time.monotonic() - began < 5


async def test_process_that_flees_with_the_pipe_does_not_hold_up_the_checker(hostile):
    before = len(list(Path("/proc/self/fd").iterdir()))
    began = time.monotonic()
    assert await look(hostile, b"flee") == [Reason.DEEP_CHECK_TIMEOUT]
    assert await look(hostile, b"fine") == []
    assert time.monotonic() - began < 6
    assert len(list(Path("/proc/self/fd").iterdir())) == before


async def test_close_while_a_process_is_being_stopped_leaves_no_task(hostile_command):
    deep = DeepChecker(command=hostile_command, job_limit=0.3)
    await deep.start()
    assert await look(deep, b"flee") == [Reason.DEEP_CHECK_TIMEOUT]
    await deep.close()
    await asyncio.sleep(0)
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
    assert children() == []


async def test_what_nobody_foresaw_is_a_crash_and_does_not_end_the_supervision(
    hostile, monkeypatch
):
    def surprise(*_):
        raise RuntimeError("a bug of ours")

    with monkeypatch.context() as patch:
        patch.setattr(protocol, "decode_answer", surprise)
        assert await look(hostile, b"fine") == [Reason.DEEP_CHECK_CRASHED]
    assert await look(hostile, b"fine") == []
    assert (hostile.crashes, hostile.restarts) == (1, 1)


async def test_trouble_with_the_end_of_a_process_does_not_end_the_supervision(hostile, monkeypatch):
    real = DeepProcess.stop

    async def surprise(process):
        await real(process)
        raise RuntimeError("a bug of ours")

    with monkeypatch.context() as patch:
        patch.setattr(DeepProcess, "stop", surprise)
        assert await look(hostile, b"crash") == [Reason.DEEP_CHECK_CRASHED]
        assert await look(hostile, b"fine") == []


async def test_failures_in_a_row_do_not_stop_the_checker(hostile):
    for _ in range(4):
        assert await look(hostile, b"crash") == [Reason.DEEP_CHECK_CRASHED]
    assert await look(hostile, b"fine") == []
    assert (hostile.crashes, hostile.restarts) == (4, 4)


async def test_cancelled_check_does_not_put_the_pipe_out_of_step(hostile):
    slow = asyncio.create_task(look(hostile, b"slow"))
    await asyncio.sleep(0.05)
    waiting = asyncio.create_task(look(hostile, b"crash"))
    await asyncio.sleep(0)
    for task in (slow, waiting):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await look(hostile, b"tell") == [Reason.IMAGE_UNDECODABLE]
    assert await look(hostile, b"fine") == []
    assert (hostile.crashes, hostile.restarts) == (0, 0)


async def test_what_a_library_prints_stays_out_of_the_answers(hostile):
    assert await look(hostile, b"talk") == []
    assert await look(hostile, b"fine") == []


async def test_worker_keeps_to_a_limit_that_is_lower_than_its_own(png):
    lower = 'ulimit -v 400000 && ulimit -t 1000 && exec "$@"'
    deep = DeepChecker(command=("/bin/sh", "-c", lower, "sh", *worker_command()))
    await deep.start()
    try:
        (worker,) = children()
        limits = Path(f"/proc/{worker}/limits").read_text()
        (space,) = [line for line in limits.splitlines() if line.startswith("Max address space")]
        assert space.split()[3:5] == ["409600000", "409600000"]
        assert await look(deep, png) == []
    finally:
        await deep.close()


async def test_worker_inherits_neither_environment_nor_descriptors(hostile, tmp_path):
    os.environ["DOCWARDEN_TEST_SECRET"] = "hidden"
    with (tmp_path / "open").open("w") as open_file:
        os.set_inheritable(open_file.fileno(), True)
        deep = DeepChecker(command=hostile._command)
        await deep.start()
        try:
            (finding,) = await deep.check(b"tell", "image/png", POLICY)
        finally:
            await deep.close()
            del os.environ["DOCWARDEN_TEST_SECRET"]
    words = finding.detail.split()
    # The three standard ones, the two pipes, and the one that listing the folder takes.
    assert sum(word.isdigit() for word in words) == 6


async def test_worker_that_is_killed_at_work_is_replaced(hostile):
    (victim,) = children()
    asked = asyncio.create_task(look(hostile, b"hang"))
    await asyncio.sleep(0.05)
    os.kill(victim, 9)
    assert await asked == [Reason.DEEP_CHECK_CRASHED]
    assert await look(hostile, b"fine") == []


async def test_worker_that_is_killed_while_idle_costs_no_document(hostile):
    (victim,) = children()
    os.kill(victim, 9)
    async with asyncio.timeout(10):
        while children():
            await asyncio.sleep(0.01)
    assert await look(hostile, b"fine") == []
    assert (hostile.crashes, hostile.restarts) == (1, 1)


async def test_close_answers_what_waits_and_ends_every_process(hostile_command):
    deep = DeepChecker(command=hostile_command, workers=2)
    await deep.start()
    assert len(children()) == 2
    tasks = [asyncio.create_task(look(deep, b"hang")) for _ in range(4)]
    await asyncio.sleep(0.05)
    await deep.close()
    assert await asyncio.gather(*tasks) == [[Reason.DEEP_CHECK_CRASHED]] * 4
    assert children() == []
    assert await look(deep, b"fine") == [Reason.DEEP_CHECK_CRASHED]
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_worker_that_cannot_start_is_said_so(tmp_path):
    for command in ((str(tmp_path / "missing"),), ("/bin/false",), ("/bin/echo",)):
        with pytest.raises(WorkerFailedError):
            await DeepChecker(command=command).start()
    assert children() == []


async def test_large_document_goes_through_the_pipe(png):
    deep = DeepChecker()
    await deep.start()
    try:
        assert await deep.check(png + bytes(32 << 20), "image/png", POLICY) == ()
    finally:
        await deep.close()


@pytest.mark.parametrize("size", [200 << 20, 400 << 20])
async def test_document_that_the_process_has_no_memory_for_is_no_crash(size, hostile):
    assert await look(hostile, bytes(size)) == [Reason.DEEP_CHECK_MEMORY]
    assert (hostile.memory_failures, hostile.crashes) == (1, 0)
    assert await look(hostile, b"fine") == []


async def test_verifier_rejects_what_crashes_the_checker_and_tries_again(hostile, png):
    verifier = Verifier(policy=POLICY, deep=hostile)
    document = png + b"crash"
    for attempt in (1, 2):
        verdict = await verifier.verify(document)
        assert verdict.rejected is not None
        assert verdict.rejected.reason == Reason.DEEP_CHECK_CRASHED
        assert hostile.crashes == attempt
    assert (await verifier.verify(png)).intact


async def test_close_right_after_start_leaves_no_process():
    deep = DeepChecker()
    await deep.start()
    await deep.close()
    own = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    workers = [pid for pid in own if b"deep.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert workers == []
