"""The deep checker with real processes: what crashes, hangs or eats memory is a failed check."""

import asyncio
import collections
import io
import math
import os
import signal
import sys
import textwrap
from pathlib import Path

import pikepdf
import pytest
import uvloop
from PIL import Image

from docwarden.integrity.deep import protocol
from docwarden.integrity.deep.channel import Channel
from docwarden.integrity.deep.process import WorkerFailedError, server_command
from docwarden.integrity.deep.schedule import DeepChecksFullError, Schedule
from docwarden.integrity.deep.supervisor import DeepChecker
from docwarden.integrity.formats.pdf import PdfReason
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.verifier import Verifier

POLICY = Policy()
LARGE = bytes(1 << 20)
"""Makes a document one that the worker for small ones does not get."""


@pytest.fixture(scope="session")
def png():
    target = io.BytesIO()
    Image.linear_gradient("L").save(target, "PNG")
    return target.getvalue()


@pytest.fixture(scope="session")
def gif():
    target = io.BytesIO()
    Image.linear_gradient("L").save(target, "GIF")
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
    """Return the command of a fork server whose workers obey a GIF's last bytes."""
    script = tmp_path / "hostile.py"
    script.write_text(
        textwrap.dedent(
            """
            import os, signal, socket, sys, time
            from docwarden.integrity.deep import fork_server, protocol
            from docwarden.integrity.reasons import Reason

            def answer(findings):
                WORKER[0].sendall(protocol.frame(findings, 0.0))

            def decode(data, tier):
                if data.endswith(b"crash"):
                    os.kill(os.getpid(), signal.SIGSEGV)
                if data.endswith(b"raise"):
                    raise RuntimeError("a bug of a library")
                if data.endswith(b"hang"):
                    time.sleep(3600)
                if data.endswith(b"spin"):
                    while True:
                        pass
                if data.endswith(b"disarm"):
                    signal.setitimer(signal.ITIMER_PROF, 0)
                    while True:
                        pass
                if data.endswith(b"eat"):
                    hoard = [bytearray(64 << 20) for _ in range(64)]
                if data.endswith(b"wait"):
                    while not os.path.exists(GATE):
                        time.sleep(0.005)
                if data.endswith(b"talk"):
                    print("words of a library", flush=True)
                    os.write(1, b"more of them")
                if data.endswith(b"lie"):
                    answer(b'[["no-such-reason", "x"]]')
                if data.endswith(b"nest"):
                    answer(b"[" * 60_000)
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
                    answer(b"x" * 100_000)
                if data.endswith(b"tell"):
                    secret = sorted(os.environ) + os.listdir("/proc/self/fd")
                    return [(Reason.IMAGE_UNDECODABLE, " ".join(secret))]
                return []

            GATE = os.path.join(os.path.dirname(sys.argv[0]), "gate")
            WORKER = []
            real_serve = fork_server.serve
            def serve(jobs, decoders, seconds):
                WORKER.append(jobs)
                return real_serve(jobs, decoders, seconds)
            fork_server.serve = serve
            fork_server.load_decoder = lambda media_type: decode
            sys.exit(fork_server.main())
            """
        )
    )
    return (sys.executable, "-s", "-P", str(script))


@pytest.fixture
def gate(tmp_path):
    """Return what lets documents pass that end in `wait`, when it is made."""
    return tmp_path / "gate"


@pytest.fixture
async def hostile(hostile_command):
    deep = DeepChecker(command=hostile_command, cpu_limit=1.0, memory_limit=300 << 20)
    await deep.start()
    yield deep
    await deep.close()
    assert everybody() == []


def processes():
    """Return the parent of each process of the deep checks, by process id, zombies included."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if fields[0] == "Z" or b"fork_server" in command or b"hostile" in command:
            found[int(stat.parent.name)] = int(fields[1])
    return found


def servers():
    return [pid for pid, parent in processes().items() if parent == os.getpid()]


def workers():
    own = set(servers())
    return sorted(pid for pid, parent in processes().items() if parent in own)


def lives(pid):
    """Whether a process runs; a zombie is its new parent's to bury."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def everybody():
    return servers() + workers()


async def look(deep, data):
    return [finding.reason for finding in await deep.check(data, "image/gif", POLICY)]


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


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
    assert everybody() == []


def test_deep_checks_work_under_uvloop(png):
    async def once():
        deep = DeepChecker()
        await deep.start()
        try:
            return await deep.check(png, "image/png", POLICY)
        finally:
            await deep.close()

    assert uvloop.run(once()) == ()
    assert everybody() == []


@pytest.mark.parametrize(
    ("order", "reason", "counter"),
    [
        (b"crash", Reason.DEEP_CHECK_CRASHED, "crashes"),
        (b"raise", Reason.DEEP_CHECK_CRASHED, "crashes"),
        (b"lie", Reason.DEEP_CHECK_CRASHED, "crashes"),
        (b"shout", Reason.DEEP_CHECK_CRASHED, "crashes"),
        (b"nest", Reason.DEEP_CHECK_CRASHED, "crashes"),
        (b"signal", Reason.DEEP_CHECK_CRASHED, "crashes"),
        (b"fork", Reason.DEEP_CHECK_CRASHED, "crashes"),
        (b"flee", Reason.DEEP_CHECK_CRASHED, "crashes"),
        (b"hang", Reason.DEEP_CHECK_TIMEOUT, "timeouts"),
        (b"spin", Reason.DEEP_CHECK_TIMEOUT, "timeouts"),
        (b"disarm", Reason.DEEP_CHECK_TIMEOUT, "timeouts"),
        (b"eat", Reason.DEEP_CHECK_MEMORY, "memory_failures"),
    ],
)
async def test_failure_is_a_finding_and_the_next_document_passes(hostile, order, reason, counter):
    assert await look(hostile, order) == [reason]
    assert getattr(hostile, counter) == 1
    assert await look(hostile, b"fine") == []
    await until(lambda: hostile.restarts == 1)
    assert hostile.crashes + hostile.timeouts + hostile.memory_failures == 1


async def test_worker_that_leaves_the_group_holds_up_nothing_and_no_descriptor(hostile):
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert await look(hostile, b"flee") == [Reason.DEEP_CHECK_CRASHED]
    assert await look(hostile, b"fine") == []
    assert len(list(Path("/proc/self/fd").iterdir())) == before


async def test_worker_without_processor_is_waited_for(hostile):
    """A stopped worker gets none, like one on a host that is too busy; its document is intact."""
    await until(lambda: len(workers()) == 2)
    for worker in workers():
        os.kill(worker, signal.SIGSTOP)
    asked = asyncio.create_task(look(hostile, b"fine"))
    await asyncio.sleep(2.5)  # the limit of CPU time, and half of it again
    assert not asked.done()
    for worker in workers():
        os.kill(worker, signal.SIGCONT)
    assert await asked == []
    assert (hostile.timeouts, hostile.restarts) == (0, 0)


async def test_what_nobody_foresaw_is_a_crash_and_does_not_end_the_supervision(
    hostile, monkeypatch
):
    def surprise(*_):
        raise RuntimeError("a bug of ours")

    with monkeypatch.context() as patch:
        patch.setattr(protocol, "decode_findings", surprise)
        assert await look(hostile, b"fine") == [Reason.DEEP_CHECK_CRASHED]
    assert await look(hostile, b"fine") == []
    assert hostile.crashes == 1


async def test_failures_in_a_row_do_not_stop_the_checker(hostile):
    for _ in range(4):
        assert await look(hostile, b"crash") == [Reason.DEEP_CHECK_CRASHED]
    assert await look(hostile, b"fine") == []
    assert hostile.crashes == 4
    await until(lambda: hostile.restarts == 4)


async def test_cancelled_check_does_not_put_the_socket_out_of_step(hostile, gate):
    slow = [asyncio.create_task(look(hostile, size + b"wait")) for size in (LARGE, b"")]
    await until(lambda: all(channel.under_way for channel in hostile._workers.channels.values()))
    waiting = asyncio.create_task(look(hostile, LARGE + b"crash"))
    await asyncio.sleep(0)
    assert hostile.waiting == 1
    for task in (*slow, waiting):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert hostile.waiting == 0
    gate.touch()
    assert await look(hostile, b"tell") == [Reason.IMAGE_UNDECODABLE]
    assert await look(hostile, b"fine") == []
    assert (hostile.crashes, hostile.restarts) == (0, 0)


async def test_documents_that_share_a_worker_with_one_that_ends_it_are_not_blamed(hostile, gate):
    gates = [asyncio.create_task(look(hostile, size + b"wait")) for size in (LARGE, b"")]
    await until(lambda: all(channel.under_way for channel in hostile._workers.channels.values()))
    bad = asyncio.create_task(look(hostile, b"crash"))
    behind = [asyncio.create_task(look(hostile, b"fine")) for _ in range(8)]
    await asyncio.sleep(0)
    assert max(len(channel.under_way) for channel in hostile._workers.channels.values()) > 1
    gate.touch()
    assert await bad == [Reason.DEEP_CHECK_CRASHED]
    assert await asyncio.gather(*behind, *gates) == [[]] * 10
    assert hostile.crashes == 2  # among others, and alone


async def test_documents_that_share_a_worker_with_one_that_sleeps_are_not_blamed(hostile):
    documents = [look(hostile, order) for order in (b"fine", b"hang", b"fine")]
    asked = await asyncio.gather(*documents)
    assert asked == [[], [Reason.DEEP_CHECK_TIMEOUT], []]


async def test_small_documents_do_not_wait_behind_large_ones(hostile, gate):
    large = [asyncio.create_task(look(hostile, LARGE + b"wait")) for _ in range(6)]
    await until(lambda: hostile.waiting == 5)
    for _ in range(20):
        assert await look(hostile, b"fine") == []
    assert not any(task.done() for task in large)
    gate.touch()
    assert await asyncio.gather(*large) == [[]] * 6


async def test_documents_of_much_memory_are_looked_at_one_after_the_other(hostile_command, gate):
    deep = DeepChecker(workers=2, command=hostile_command)
    await deep.start()
    try:
        # A screen of 512 million pixels, each a byte to the decoder.
        giants = [
            asyncio.create_task(look(deep, b"GIF89a\xff\x7f\x00\x40" + b"wait")) for _ in range(3)
        ]
        await until(lambda: deep.waiting == 2)
        assert await look(deep, b"fine") == []
        assert deep.waiting == 2
        gate.touch()
        assert await asyncio.gather(*giants) == [[]] * 3
    finally:
        await deep.close()


async def test_document_that_would_wait_in_vain_is_refused_at_once(hostile, gate):
    loop = asyncio.get_running_loop()
    large = [asyncio.create_task(look(hostile, bytes(8 << 20) + b"wait")) for _ in range(4)]
    await until(lambda: hostile.waiting == 3)
    with pytest.raises(DeepChecksFullError):
        await hostile.check(bytes(8 << 20), "image/gif", POLICY, loop.time() + 0.05)
    assert (hostile.refused, hostile.waiting) == (1, 3)
    assert await hostile.check(b"fine", "image/gif", POLICY, loop.time() + 60) == ()
    gate.touch()
    assert await asyncio.gather(*large) == [[]] * 4


async def test_document_costs_one_message_each_way_and_no_task_or_timer(hostile, monkeypatch):
    """Counted, not timed: what makes the way to a worker and back cheap."""
    await look(hostile, b"fine")
    loop = asyncio.get_running_loop()
    counts: collections.Counter[str] = collections.Counter()

    def count(owner, name):
        real = getattr(owner, name)

        def counted(*arguments, **options):
            counts[name] += 1
            return real(*arguments, **options)

        monkeypatch.setattr(owner, name, counted)

    for name in ("call_later", "call_at", "create_task", "call_soon"):
        count(loop, name)
    count(Channel, "readable")
    count(Channel, "_flush")
    for _ in range(50):
        await hostile.check(b"fine", "image/gif", POLICY)
    assert counts["_flush"] == 50
    assert counts["readable"] <= 50 + counts["call_later"]
    assert counts["create_task"] == 0
    # One tick for all, however many documents; a slow host sees more of them.
    assert counts["call_later"] + counts["call_at"] < 25
    # The job is sent at the end of the loop's turn, and the caller is woken.
    assert counts["call_soon"] <= 3 * 50 + 10


async def test_documents_of_one_moment_are_sent_and_answered_together(hostile, monkeypatch):
    await look(hostile, b"fine")
    sent = []
    flush = Channel._flush

    def counted(channel):
        sent.append(len(channel._outbox) // 2)
        flush(channel)

    monkeypatch.setattr(Channel, "_flush", counted)
    documents = [look(hostile, b"fine") for _ in range(8)]
    assert await asyncio.gather(*documents) == [[]] * 8
    assert sent == [8]


async def test_what_a_library_prints_stays_out_of_the_answers(hostile):
    assert await look(hostile, b"talk") == []
    assert await look(hostile, b"fine") == []


async def test_processes_keep_to_a_limit_that_is_lower_than_their_own(png):
    lower = 'ulimit -v 400000 && ulimit -t 1000 && exec "$@"'
    deep = DeepChecker(command=("/bin/sh", "-c", lower, "sh", *server_command()))
    await deep.start()
    try:
        assert await deep.check(png, "image/png", POLICY) == ()
        for process in everybody():
            limits = Path(f"/proc/{process}/limits").read_text()
            (space,) = [line for line in limits.splitlines() if line.startswith("Max address")]
            assert space.split()[3:5] == ["409600000", "409600000"]
    finally:
        await deep.close()


async def test_worker_inherits_neither_environment_nor_descriptors(hostile_command, tmp_path):
    os.environ["DOCWARDEN_TEST_SECRET"] = "hidden"
    with (tmp_path / "open").open("w") as open_file:
        os.set_inheritable(open_file.fileno(), True)
        deep = DeepChecker(command=hostile_command, workers=3)
        await deep.start()
        try:
            (finding,) = await deep.check(b"tell", "image/gif", POLICY)
        finally:
            await deep.close()
            del os.environ["DOCWARDEN_TEST_SECRET"]
    words = finding.detail.split()
    assert "DOCWARDEN_TEST_SECRET" not in words
    # The three standard ones, the socket, and the one that listing the folder takes.
    assert sum(word.isdigit() for word in words) == 5


async def test_worker_that_is_killed_at_work_is_replaced(hostile):
    asked = asyncio.create_task(look(hostile, b"hang"))
    await until(
        lambda: any(each.under_way and each.pid for each in hostile._workers.channels.values())
    )
    (busy,) = [channel for channel in hostile._workers.channels.values() if channel.under_way]
    os.kill(busy.pid, signal.SIGKILL)
    assert await asked == [Reason.DEEP_CHECK_CRASHED]
    assert await look(hostile, b"fine") == []


async def test_worker_that_is_killed_while_idle_costs_no_document(hostile):
    await until(lambda: len(workers()) == 2)
    before = workers()
    os.kill(before[0], signal.SIGKILL)
    await until(lambda: len(workers()) == 2 and workers() != before)
    assert await look(hostile, b"fine") == []
    assert (hostile.crashes, hostile.restarts) == (1, 1)


async def test_fork_server_that_is_killed_is_replaced_with_its_workers(hostile):
    await until(lambda: len(workers()) == 2)
    asked = asyncio.create_task(look(hostile, b"hang"))
    await until(lambda: any(channel.under_way for channel in hostile._workers.channels.values()))
    old, before = servers(), workers()
    os.kill(old[0], signal.SIGKILL)
    assert await asked == [Reason.DEEP_CHECK_CRASHED]
    assert await look(hostile, b"fine") == []
    await until(lambda: len(workers()) == 2)
    await until(lambda: not any(lives(pid) for pid in before + old))


async def test_close_answers_what_waits_and_ends_every_process(hostile_command):
    deep = DeepChecker(command=hostile_command, workers=2)
    await deep.start()
    await until(lambda: len(workers()) == 3)
    tasks = [asyncio.create_task(look(deep, b"hang")) for _ in range(6)]
    await until(lambda: any(channel.under_way for channel in deep._workers.channels.values()))
    await deep.close()
    assert await asyncio.gather(*tasks) == [[Reason.DEEP_CHECK_CRASHED]] * 6
    assert everybody() == []
    assert await look(deep, b"fine") == [Reason.DEEP_CHECK_CRASHED]
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_gateway_that_dies_leaves_no_process(hostile_command):
    """Neither a worker that hangs nor the fork server outlives it."""
    code = f"""
        import asyncio, os, signal
        from docwarden.integrity.deep.supervisor import DeepChecker
        from docwarden.integrity.policy import Policy
        async def main():
            deep = DeepChecker(command={hostile_command!r})
            await deep.start()
            await deep.check(b"fine", "image/gif", Policy())
            asyncio.ensure_future(deep.check(b"hang", "image/gif", Policy()))
            await asyncio.sleep(0.1)
            workers = deep._workers
            print(workers._server._process.pid, *(each.pid for each in workers.channels.values()))
            os.kill(os.getpid(), signal.SIGKILL)
        asyncio.run(main())
    """
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-c", textwrap.dedent(code), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await gateway.communicate()
    pids = [int(word) for word in output.split()]
    assert len(pids) == 3
    await until(lambda: not any(lives(pid) for pid in pids))


async def test_fork_server_that_cannot_start_is_said_so(tmp_path):
    for command in ((str(tmp_path / "missing"),), ("/bin/false",), ("/bin/echo",)):
        with pytest.raises(WorkerFailedError):
            await DeepChecker(command=command).start()
    assert everybody() == []


async def test_large_documents_go_through_the_socket(png, pdf):
    deep = DeepChecker()
    await deep.start()
    try:
        large = png + bytes(32 << 20)
        answers = await asyncio.gather(
            deep.check(large, "image/png", POLICY),
            deep.check(pdf, "application/pdf", POLICY),
            deep.check(large, "image/png", POLICY),
        )
        assert list(answers) == [(), (), ()]
    finally:
        await deep.close()


@pytest.mark.parametrize("size", [300 << 20, 400 << 20])
async def test_document_that_the_process_has_no_memory_for_is_no_crash(size, hostile):
    assert await look(hostile, bytes(size)) == [Reason.DEEP_CHECK_MEMORY]
    assert (hostile.memory_failures, hostile.crashes) == (1, 0)
    assert await look(hostile, b"fine") == []


async def test_verifier_rejects_what_crashes_the_checker_and_tries_again(hostile, gif):
    verifier = Verifier(policy=POLICY, deep=hostile)
    document = gif + b"crash"
    for attempt in (1, 2):
        verdict = await verifier.verify(document)
        assert verdict.rejected is not None
        assert verdict.rejected.reason == Reason.DEEP_CHECK_CRASHED
        assert hostile.crashes == attempt
    assert (await verifier.verify(gif)).intact


async def test_close_right_after_start_leaves_no_process():
    deep = DeepChecker()
    await deep.start()
    await deep.close()
    assert everybody() == []


async def test_metrics_tell_what_waits_for_a_deep_check_and_what_is_refused(
    start_gateway, start_simulator, monkeypatch
):
    simulator = await start_simulator(size=1 << 20, distinct=True)
    simulator.behave(mix="png=1")
    gateway = await start_gateway(simulator.url, integrity_tier="3")
    monkeypatch.setattr(DeepChecker, "_dispatch", lambda _: None)  # no worker takes it
    asked = asyncio.create_task(gateway.get("/1"))
    async with asyncio.timeout(20):
        while (await gateway.metrics())["docwarden_deep_checks_waiting"] != 1:
            await asyncio.sleep(0.01)
    monkeypatch.setattr(Schedule, "expected_wait", lambda *_: math.inf)
    assert (await gateway.get("/2")).status == 503
    metrics = await gateway.metrics()
    assert metrics["docwarden_deep_checks_waiting"] == 1
    assert metrics["docwarden_deep_checks_refused_total"] == 1
    asked.cancel()
