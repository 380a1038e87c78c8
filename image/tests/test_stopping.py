"""SIGTERM under load, and the replacement of gateways behind a balancer: nobody notices."""

import threading

import pytest

from balancer import Balancer
from containers import podman, until
from load import Load, get, status_of

GRACE = 45


def stop(gateway):
    """Stop a container as an orchestrator does, and return its exit status."""
    podman("stop", f"--time={GRACE}", gateway.name, limit=GRACE + 15)
    return gateway.inspect()["State"]["ExitCode"]


def test_sigterm_under_load_fails_no_request(host, ready, reliable, figure):
    gateway = ready(host.start_gateway(reliable + "/{id}", DRAIN_DELAY="3s"))
    readiness = gateway.url(8081) + "/readyz"
    with Load(gateway.url(8080), clients=16) as load:
        until(lambda: load.answered >= 500, limit=60, what="500 documents")
        podman("kill", "--signal=TERM", gateway.name)
        until(lambda: status_of(readiness) == 503, limit=3, what="not ready")
        told = load.answered
        until(lambda: load.answered >= told + 100, limit=2.5, what="served on while not ready")
    until(lambda: not gateway.inspect()["State"]["Running"], limit=GRACE, what="the end")
    assert load.failures == []
    assert gateway.inspect()["State"]["ExitCode"] == 0
    figure(f"SIGTERM under load: {load.answered} requests, {len(load.failures)} failed")


def test_request_in_flight_is_answered_after_the_listener_closed(host, ready, reliable):
    slow = ready(
        host.start_gateway(
            reliable + "/fault/delay/3s/{id}", DRAIN_DELAY="0s", ATTEMPT_TIMEOUT="6s"
        )
    )
    url = slow.url(8080)
    answers = []
    client = threading.Thread(target=lambda: answers.append(get(f"{url}/7")))
    client.start()
    metrics = slow.url(8081) + "/metrics"
    until(lambda: b"docwarden_requests_in_flight 1" in get(metrics)[2], limit=2.5, what="in flight")
    assert stop(slow) == 0
    client.join()
    ((status, headers, _),) = answers
    assert status == 200
    assert headers["Connection"] == "close"


@pytest.fixture
def balancer(tmp_path):
    balancer = Balancer(tmp_path)
    yield balancer
    balancer.close()


def test_rolling_replacement_under_load_fails_no_request(host, ready, reliable, balancer, figure):
    def start():
        return ready(host.start_gateway(reliable + "/{id}", DRAIN_DELAY="3s"))

    old = [start(), start()]
    for slot, gateway in enumerate(old, 1):
        balancer.add(slot, gateway)
    with Load(balancer.url, clients=16) as load:
        until(lambda: load.answered >= 200, limit=60, what="200 documents")
        new = []
        for slot, leaving in enumerate(old, 3):
            new.append(start())
            balancer.add(slot, new[-1])
            assert stop(leaving) == 0
        before = load.answered
        until(lambda: load.answered >= before + 200, limit=60, what="200 more documents")
    assert load.failures == []
    for gateway in new:
        assert (
            b'docwarden_documents_total{outcome="delivered"}'
            in get(gateway.url(8081) + "/metrics")[2]
        )
    figure(
        f"two gateways replaced behind HAProxy: {load.answered} requests, "
        f"{len(load.failures)} failed"
    )
