"""What the release has to do with others: a store, custom resources; and more processes."""

import json
import os
import shutil
from pathlib import Path

import pytest
from tests.cluster import kube

# Where the definitions of custom resources come from, and which of their files.
DEFINITIONS = {
    "sigs.k8s.io/gateway-api@v1.6.3": ("config/crd/standard", ("httproutes", "gateways")),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd",
        ("servicemonitors", "prometheusrules"),
    ),
}
CUSTOM = ("httproute", "servicemonitor", "prometheusrule")


@pytest.fixture
def definitions():
    """Define the custom resources from their projects' Go modules, unless they are defined."""
    made = []
    for module, (folder, kinds) in DEFINITIONS.items():
        defined = kube.get("customresourcedefinitions")["items"]
        missing = [
            kind for kind in kinds if not any(kube.name(each).startswith(kind) for each in defined)
        ]
        if missing and not shutil.which("go"):
            pytest.skip(f"needs the definitions of {', '.join(missing)}, or Go to download them")
        if missing:
            found = json.loads(kube.run(["go", "mod", "download", "-json", module]))
            for kind in missing:
                (path,) = Path(found["Dir"], folder).glob(f"*_{kind}.yaml")
                kube.kubectl("create", f"--filename={path}")
                made.append(path)
    kube.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    yield
    for path in made:
        kube.kubectl("delete", f"--filename={path}", "--wait=false")


@pytest.mark.usefixtures("definitions")
def test_route_monitor_and_rules_are_taken_by_their_real_definitions(running, figure):
    running.upgrade(
        {
            "commonLabels": {"release": "kube-prometheus-stack"},
            "httpRoute": {"enabled": True, "parentRefs": [{"name": "edge"}]},
            "serviceMonitor": {"enabled": True},
            "prometheusRule": {"enabled": True},
            "dashboards": {"enabled": True},
        }
    )
    at = f"--namespace={running.namespace}"
    found = [kube.get(kind, "docwarden", at) for kind in CUSTOM]
    label = {each["metadata"]["labels"]["release"] for each in found}
    rules = sum(len(group["rules"]) for group in found[2]["spec"]["groups"])
    figure(f"{', '.join(each['kind'] for each in found)} with {rules} rules")
    running.upgrade({})
    assert label == {"kube-prometheus-stack"}
    assert not any(kube.exists(kind, "docwarden", at) for kind in CUSTOM)


@pytest.fixture
def redis(namespaces):
    """Return the address of a Redis of our own."""
    reference = os.environ.get("CLUSTER_REDIS_IMAGE", "docker.io/library/redis:8")
    at = namespaces["archive"]
    container = {
        "command": ["redis-server", "--save", "", "--appendonly", "no", "--protected-mode", "no"],
        "args": [],
        "workingDir": "/tmp",
    }
    pod = kube.script_pod(
        "redis",
        image={"image": reference},
        script="reach",
        arguments=[],
        labels={"app": "redis"},
        container=container,
    )
    kube.start(at, pod)
    spec = {"selector": {"app": "redis"}, "ports": [{"port": 6379}]}
    metadata = {"name": "redis", "namespace": at}
    kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    try:
        kube.kubectl(
            *("wait", "--for=condition=Ready", "pod/redis", f"--namespace={at}", "--timeout=60s")
        )
    except kube.CommandError:
        pytest.skip(f"{reference} cannot be pulled or run: set CLUSTER_REDIS_IMAGE")
    yield f"redis://redis.{at}:6379/0"
    kube.kubectl("delete", "pod/redis", "service/redis", f"--namespace={at}")


def test_what_one_pod_stored_in_redis_another_delivers(running, redis, namespaces, clients, figure):
    label = {"matchLabels": {"kubernetes.io/metadata.name": namespaces["archive"]}}
    running.be(
        {
            "env": {"DOCWARDEN_STALE_IF_ERROR": "1h"},
            "store": {"url": redis},
            "networkPolicy": {"store": {"peers": [{"namespaceSelector": label}]}},
        }
    )
    # There may be more of them, for minutes after the scaling.
    first, second, *_ = (f"http://{address}" for address in running.addresses())
    fresh = clients.fetch(first, 10)
    assert not any("stale" in what for what in fresh)
    running.control_simulator(json.dumps({"listening": False}))
    stale = clients.fetch(second, 10)
    running.control_simulator(json.dumps({"listening": True}))
    figure(f"first pod {fresh}; upstream gone, second pod {stale}")
    assert {what.removesuffix(" stale") for what in stale} == set(fresh)
    assert all(what.endswith(" stale") for what in stale)


def test_two_workers_a_pod_serve_and_are_counted_together(running, clients, figure):
    running.be({"env": {"DOCWARDEN_WORKERS": 2}})
    pod, *_ = running.gateways()
    seen = clients.fetch(f"http://{pod['status']['podIP']}:8080", 50, at_once=8)
    code = (
        "import urllib.request as u;"
        "print(u.urlopen('http://127.0.0.1:8081/metrics').read().decode())"
    )
    metrics = kube.python(running.namespace, kube.name(pod), code)
    delivered = [
        float(line.split()[-1])
        for line in metrics.splitlines()
        if line.startswith('docwarden_documents_total{outcome="delivered"}')
    ]
    figure(f"{sum(seen.values())} asked, {delivered[0]:.0f} counted")
    assert all(what.startswith("200 ") for what in seen)
    assert delivered == [sum(seen.values()) + 1]  # one was asked for to see whether it is let in
    assert "5 of 5" in running.helm("test", "docwarden", "--logs")
