"""What a namespace and a pod may use."""

from tests.cluster import kube
from tests.cluster.documents import served

# A scaler would leave as many pods as the step before needed.
TWO_PODS = {"autoscaling": {"enabled": False}, "replicaCount": 2}
LARGE = ("--size=24MiB", "--distinct", "--mix=png=50,pdf=50")
DOCUMENTS = 48
AT_ONCE = 12
PEAK = """
import pathlib
for path in ("/sys/fs/cgroup/memory.peak", "/sys/fs/cgroup/memory/memory.max_usage_in_bytes"):
    if pathlib.Path(path).exists():
        print(pathlib.Path(path).read_text())
"""


def test_quota_and_limit_range_are_kept_by_every_pod(running, figure):
    running.be(TWO_PODS)
    at = f"--namespace={running.namespace}"
    metadata = {"name": "docwarden-e2e", "namespace": running.namespace}
    ratio = {"type": "Container", "maxLimitRequestRatio": {"cpu": "8", "memory": "2"}}
    hard = {"pods": "6", "requests.cpu": "1500m", "limits.cpu": "10", "limits.memory": "3Gi"}
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "LimitRange",
            "metadata": metadata,
            "spec": {"limits": [ratio]},
        },
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": {"hard": hard}},
    )
    try:
        kube.kubectl("rollout", "restart", "deployment/docwarden-simulator", at)
        kube.kubectl("rollout", "status", "deployment/docwarden-simulator", at)
        running.upgrade({**TWO_PODS, "podAnnotations": {"example.com/quota": "kept"}})
        assert "Phase:" in running.helm("test", "docwarden")
        used = kube.get("resourcequota", "docwarden-e2e", at)["status"]["used"]
    finally:
        kube.kubectl("delete", "limitrange,resourcequota", "docwarden-e2e", at)
    figure(
        f"used {used['requests.cpu']} CPU of {hard['requests.cpu']} requested, {used['pods']} pods"
    )


def test_large_documents_that_are_all_different_fit_into_the_memory_limit(
    running, namespaces, clients, image, figure
):
    with served(namespaces["archive"], image, *LARGE) as values:
        running.be(values)
        seen = clients.fetch(running.url, DOCUMENTS, at_once=AT_ONCE)
        peaks = [
            int(kube.python(running.namespace, kube.name(each), PEAK)) // 2**20
            for each in running.gateways()
        ]
    figure(f"{seen}, {AT_ONCE} at once of 24 MiB; peak {max(peaks)} of 512 MiB")
    assert {kube.restarts(each) for each in running.gateways()} == {0}
    assert {what for what in seen if not what.startswith("200 ")} <= {"503"}
    assert max(seen, key=lambda what: seen[what]).startswith("200 ")
