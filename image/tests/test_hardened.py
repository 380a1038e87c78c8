"""The gateway in the container that a careful cluster gives it: 128 MB, half a core, no rights."""

import json
import os
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest

from containers import SMALL, until
from load import Load, get

DOCUMENTS = 400


@pytest.fixture(scope="module")
def gateway(host, ready):
    upstream = host.start_simulator()  # half PNG, a tenth corrupt
    gateway = ready(host.start_gateway(upstream + "/{id}", *SMALL, DRAIN_DELAY="0s"))
    assert_small(gateway)
    return gateway


def assert_small(gateway):
    """Fail where the limits are ignored, as podman does for users without cgroups of their own."""
    assert gateway.limits() == (128 * 1024 * 1024, 0.5), (
        "the limits of memory and CPU are not in force, so nothing measured here would count: "
        "run this as root, or delegate cgroups to this user "
        "(https://rootlesscontaine.rs/getting-started/common/cgroup2/)"
    )


def process_status(gateway):
    """Return what the kernel says of the container's first process, read inside."""
    done = gateway.exec("python", "-c", "print(open('/proc/1/status').read())")
    lines = done.stdout.splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def test_documents_arrive_intact_from_an_upstream_that_corrupts_a_tenth(gateway, figure):
    with Load(gateway.url(8080), clients=8) as load:
        until(lambda: load.answered >= DOCUMENTS, limit=120, what=f"{DOCUMENTS} documents")
    exhausted = [failure for failure in load.failures if "document-corrupt" in failure]
    assert load.failures == exhausted
    assert len(exhausted) <= 4  # four attempts fail for one document in ten thousand
    peak, used = gateway.memory()
    figure(
        f"memory: {used / 1e6:.0f} MB after {sum(load.statuses.values())} requests by 8 clients, "
        f"{peak / 1e6:.0f} MB at most with file cache (deep checker included; limit 128 MiB)"
    )
    assert not gateway.inspect()["State"]["OOMKilled"]


def test_corrupt_documents_were_found_and_fetched_again(gateway):
    _, _, metrics = get(gateway.url(8081) + "/metrics")
    failures = [
        float(line.split()[-1])
        for line in metrics.decode().splitlines()
        if line.startswith("docwarden_integrity_failures_total{")
    ]
    assert sum(failures) > 0


def test_gateway_runs_without_any_right(gateway):
    status = process_status(gateway)
    assert set(status["Uid"].split()) == {"65532"}
    assert set(status["Gid"].split()) == {"65532"}
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapInh")} == {0}
    assert status["NoNewPrivs"] == "1"


def test_first_process_is_the_gateway_itself_and_takes_signals(gateway):
    done = gateway.exec("python", "-c", "print(open('/proc/1/cmdline').read().split(chr(0)))")
    assert "/opt/docwarden/bin/docwarden" in done.stdout
    assert int(process_status(gateway)["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1


@pytest.mark.parametrize("check", ["live", "ready", "startup"])
def test_probe_tells_health_without_curl(gateway, check):
    done = gateway.exec("docwarden", "probe", check)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "ok"


def test_probe_fails_where_no_gateway_answers(host):
    simulator = host.start("simulate", "--control=off")
    until(lambda: simulator.exec("docwarden", "--version").returncode == 0, limit=20, what="start")
    assert simulator.exec("docwarden", "probe", "live").returncode == 1


def test_version_tells_the_revision_that_the_image_was_built_from(gateway):
    _, _, body = get(gateway.url(8081) + "/version")
    revision = gateway.inspect()["Config"]["Labels"]["org.opencontainers.image.revision"]
    assert json.loads(body)["revision"] == revision


def test_gateway_writes_no_file_even_where_it_could(host, ready):
    upstream = host.start_simulator() + "/{id}"
    idle = host.start("--version")  # podman itself makes mount points
    gateway = ready(host.start(options=(f"--env=DOCWARDEN_UPSTREAM_URL={upstream}",)))
    assert not gateway.inspect()["HostConfig"]["ReadonlyRootfs"]
    with Load(gateway.url(8080), clients=4) as load:
        until(lambda: load.answered >= 50, limit=60, what="50 documents")
    assert gateway.diff() - idle.diff() == set()


@pytest.mark.parametrize(
    ("processor", "options"), [("half a core", SMALL), ("all cores", ())], ids=["half", "all"]
)
def test_gateway_is_ready_soon(host, ready, figure, processor, options):
    gateway = ready(host.start_gateway("http://127.0.0.1:9/{id}", *options))
    if options:
        assert_small(gateway)
    event = until(lambda: event_of(gateway, "process.ready"), limit=10, what="the event")
    seconds = seconds_to_start(gateway, event)
    figure(f"start-up: {seconds:.2f} s on {processor}")
    assert seconds < 10


def event_of(gateway, name):
    """Return a logged event; lines are written in batches, so a little after what they tell."""
    return next((each for each in gateway.logs() if each["event.name"] == name), None)


def seconds_to_start(gateway, event):
    """Return the time from the start of the process to its readiness, in seconds."""
    pid = gateway.inspect()["State"]["Pid"]
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    started = booted + ticks / os.sysconf("SC_CLK_TCK")
    return datetime.fromisoformat(event["timestamp"]).timestamp() - started


def test_a_wrong_setting_is_named_and_ends_the_container(host):
    gateway = host.start_gateway("http://127.0.0.1:9/{id}", REQUEST_TIMEOUT="soon")
    until(lambda: not gateway.inspect()["State"]["Running"], limit=20, what="the end")
    assert gateway.inspect()["State"]["ExitCode"] == 2
