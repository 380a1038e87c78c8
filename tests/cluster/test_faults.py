"""An upstream that fails, a process that stands still, a process that dies."""

import json
import os
import subprocess
import time

import pytest
from tests.cluster import kube

SCRIPT = (kube.SCRIPTS / "signal_process.py").read_text()
USUAL = json.dumps({"mix": {"png": 50, "pdf": 40, "corrupt-pdf": 10}})


@pytest.fixture
def signal_process(namespaces, image):
    """Return a function that sends a signal to a pod's first process, from its node."""
    at = namespaces["node"]

    def ready_for(pod):
        sender = kube.script_pod(
            "signal",
            image=image,
            script="signal_process",
            arguments=[],
            spec={"nodeName": pod["spec"]["nodeName"], "hostPID": True},
            container={
                "command": ["python", "-c", "import signal; signal.pause()"],
                "securityContext": {"runAsUser": 0, "runAsNonRoot": False},
            },
        )
        kube.start(at, sender)
        kube.kubectl("wait", "--for=condition=Ready", "pod/signal", f"--namespace={at}")
        container = pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
        return lambda name: kube.python(at, "signal", SCRIPT, name, container)

    return ready_for


def all_documents(seen):
    return all(what.startswith("200 ") for what in seen)


def all_ready(release):
    pods = release.gateways()
    addresses = {each["status"]["podIP"] for each in pods}
    return (
        all(map(kube.is_ready, pods))
        and kube.endpoints(release.namespace, "docwarden") == addresses
    )


def test_a_corrupt_upstream_is_told_and_leaves_every_pod_ready(running, clients, figure):
    running.control_simulator(json.dumps({"mix": {"corrupt-pdf": 1}}))
    assert clients.fetch(running.url, 10).keys() == {"502"}
    assert all_ready(running)
    running.control_simulator(USUAL)
    assert all_documents(clients.fetch(running.url, 10))
    assert {kube.restarts(each) for each in running.gateways()} == {0}
    figure("502, every pod ready, no restart; then 200 again")


def test_an_upstream_that_is_gone_leaves_every_pod_ready_and_is_found_again(
    running, clients, figure
):
    at = f"--namespace={running.namespace}"
    simulator = "deployment/docwarden-simulator"
    kube.kubectl("scale", simulator, "--replicas=0", at)
    kube.until(
        "the simulator is gone", lambda: not kube.pods(running.namespace, "simulator"), within=60
    )
    assert clients.fetch(running.url, 10).keys() <= {"502", "503", "504"}
    time.sleep(10)  # longer than readiness takes to say no
    assert all_ready(running)
    assert {kube.restarts(each) for each in running.gateways()} == {0}
    kube.kubectl("scale", simulator, "--replicas=1", at)
    kube.kubectl("rollout", "status", simulator, at)
    took = kube.until(
        "documents arrive again",
        lambda: all_documents(clients.fetch(running.url, 10)),
        within=120,
    )
    figure(f"every pod ready all the time; documents again {took:.0f} s after it was back")


def watched(release, pod, send):
    """Send a signal; return after how many seconds the pod was left out, and back in."""
    address = pod["status"]["podIP"]

    def within():
        return address in kube.endpoints(release.namespace, "docwarden")

    began = time.monotonic()
    send()
    kube.until("the pod is left out", lambda: not within(), within=60, every=0.1)
    out = time.monotonic()
    kube.until("the pod is back", within, within=120, every=0.1)
    return out - began, time.monotonic() - began


def test_a_frozen_process_leaves_the_endpoints_and_comes_back(running, signal_process, figure):
    pod, *_ = running.gateways()
    send = signal_process(pod)
    out, back = watched(running, pod, lambda: send("SIGSTOP"))
    figure(f"out of the endpoints after {out:.1f} s, serving again after {back:.1f} s")
    (now,) = [each for each in running.gateways() if kube.name(each) == kube.name(pod)]
    assert kube.restarts(now) == 1
    assert out <= 10
    assert back <= 45


def test_a_killed_process_comes_back_without_a_registry(running, signal_process, figure):
    stop, start = (os.environ.get(f"CLUSTER_REGISTRY_{name}", "") for name in ("STOP", "START"))
    identity = running.gateways()[0]["status"]["containerStatuses"][0]["imageID"]
    _, at, digest = identity.rpartition("@")
    if not at or not (stop and start):
        pytest.skip("needs a registry, CLUSTER_REGISTRY_STOP and CLUSTER_REGISTRY_START")
    running.be({"image": {"digest": digest, "pullPolicy": ""}})
    pod, *_ = running.gateways()
    send = signal_process(pod)
    subprocess.run(["bash", "-c", stop], check=True, timeout=60)
    try:
        _, back = watched(running, pod, lambda: send("SIGKILL"))
    finally:
        subprocess.run(["bash", "-c", start], check=True, timeout=60)
    figure(f"serving again {back:.1f} s after SIGKILL, no registry answering")
    assert back <= 10
