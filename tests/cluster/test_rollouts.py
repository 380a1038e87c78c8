"""What an operator does to a release in use. Not one request may be lost."""

import json

import pytest
from tests.cluster import kube

BAD_TAG = "there-is-no-such-tag"


def revision(release):
    return json.loads(release.helm("status", "docwarden", "--output=json"))["version"]


def test_an_upgrade_with_a_changed_value_loses_nothing(running, clients, figure):
    with clients.load(running) as load:
        running.upgrade({"env": {"DOCWARDEN_QUEUE_TIMEOUT": "150ms"}})
        running.settle()
    figure(load.told())
    load.none_lost()


def test_a_rollback_loses_nothing(running, clients, figure):
    running.be({"env": {"DOCWARDEN_QUEUE_TIMEOUT": "150ms"}})
    running.be()
    with clients.load(running) as load:
        running.helm("rollback", "docwarden", "--wait", "--timeout=5m")
        running.current = None
        running.settle()
    figure(load.told())
    load.none_lost()


def test_a_deleted_pod_loses_nothing(running, clients, figure):
    pod, *_ = running.gateways()
    with clients.load(running) as load:
        at = f"--namespace={running.namespace}"
        kube.kubectl("delete", "pod", kube.name(pod), at)
        running.settle()
    figure(load.told())
    load.none_lost()


def evict(pod):
    """Ask for an eviction; return what the API server says against it, or nothing."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": pod["metadata"]}
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{kube.name(pod)}/eviction"
    try:
        kube.kubectl("create", "--raw", path, "--filename=-", given=json.dumps(eviction))
    except kube.CommandError as error:
        return str(error)
    return ""


def test_an_eviction_waits_for_the_disruption_budget_and_loses_nothing(running, clients, figure):
    first, second = running.gateways()
    with clients.load(running) as load:
        assert evict(first) == ""
        # While the first is on its way out, its place has not been taken.
        assert "disruption budget" in evict(second)
        running.settle()
        kube.until("the budget allows the second", lambda: evict(second) == "", within=60)
        running.settle()
    figure(
        f"the second eviction was refused for as long as the first pod was missing; {load.told()}"
    )
    load.none_lost()


def test_a_drained_node_loses_nothing(running, clients, figure):
    if len(kube.nodes()) < 2:
        pytest.skip("needs two nodes")
    node = running.gateways()[0]["spec"]["nodeName"]
    only = "--pod-selector=app.kubernetes.io/component=gateway"
    try:
        with clients.load(running, avoid=node) as load:
            kube.kubectl(
                *("drain", node, only, "--delete-emptydir-data", "--timeout=150s"), timeout=180
            )
            running.settle()
        assert {each["spec"]["nodeName"] for each in running.gateways()}.isdisjoint({node})
    finally:
        kube.kubectl("uncordon", node)
    figure(load.told())
    load.none_lost()


def test_a_bad_image_is_rolled_back_and_loses_nothing(running, clients, figure):
    before = {kube.name(each) for each in running.gateways()}
    with clients.load(running) as load:
        with pytest.raises(kube.CommandError):
            running.upgrade({"image": {"tag": BAD_TAG}}, "--rollback-on-failure", "--timeout=25s")
        running.settle()
    status = json.loads(running.helm("status", "docwarden", "--output=json"))["info"]["status"]
    assert status == "deployed"
    assert {kube.name(each) for each in running.gateways()} == before
    figure(f"the pods are those of before; {load.told()}")
    load.none_lost()
