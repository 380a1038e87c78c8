"""The number of pods: whose it is, and what becomes of requests while it changes."""

import time

import pytest
from tests.cluster import kube

FIXED = {"autoscaling": {"enabled": False}, "replicaCount": 3}
# Little CPU, so that the load of the suite is much of it.
SMALL = {
    "resources": {"requests": {"cpu": "25m"}, "limits": {"cpu": "400m"}},
    "autoscaling": {"minReplicas": 2, "maxReplicas": 4},
}


def deployment(release):
    return kube.get("deployment", "docwarden", f"--namespace={release.namespace}")


def test_scaling_switched_on_keeps_the_pods_that_run(running, clients, figure):
    running.be(FIXED)
    assert len(running.gateways()) == 3
    with clients.load(running) as load:
        running.upgrade({})
        fewest = 3
        until = time.monotonic() + 25  # a scaler looks every 15 s
        while time.monotonic() < until:
            found = deployment(running)
            fewest = min(fewest, found["spec"]["replicas"], found["status"]["readyReplicas"])
            time.sleep(0.5)
    figure(f"never fewer than {fewest} pods; {load.told()}")
    assert fewest == 3
    load.none_lost()


def test_pods_follow_the_load_and_an_upgrade_leaves_their_number_alone(running, clients, figure):
    try:
        kube.kubectl("get", "--raw", "/apis/metrics.k8s.io/v1beta1/nodes")
    except kube.CommandError:
        pytest.skip("the cluster serves no metrics (metrics.k8s.io)")
    running.be(SMALL)
    before = len(running.gateways())
    with clients.load(running) as load:
        took = kube.until(
            "four pods are ready",
            lambda: deployment(running)["status"].get("readyReplicas") == 4,
            within=180,
            every=1,
        )
        running.upgrade({**SMALL, "env": {"DOCWARDEN_QUEUE_TIMEOUT": "150ms"}})
        assert deployment(running)["spec"]["replicas"] == 4
        running.settle()
    figure(f"{before} to 4 pods in {took:.0f} s, still 4 after the upgrade; {load.told()}")
    load.none_lost()
