"""Who may connect to whom: the pairs that the network policies admit, and those they refuse."""

import pytest
from tests.cluster import kube
from tests.cluster.clients import reachable

TESTER = {
    "app.kubernetes.io/name": "docwarden",
    "app.kubernetes.io/instance": "docwarden",
    "app.kubernetes.io/component": "test",
}
REACH = (kube.SCRIPTS / "reach.py").read_text()


def listener(image):
    """A pod that listens on the simulator's port and that no policy protects."""
    container = {
        "command": ["docwarden", "simulate", "--listen=0.0.0.0:3000", "--control=off"],
        "args": [],
    }
    return kube.script_pod(
        "listener", image=image, script="reach", arguments=[], container=container
    )


@pytest.fixture(scope="module")
def neighbour(namespaces, image):
    """Return the address of a listener outside the release."""
    at = namespaces["archive"]
    kube.start(at, listener(image))
    kube.kubectl("wait", "--for=condition=Ready", "pod/listener", f"--namespace={at}")
    yield kube.get("pod", "listener", f"--namespace={at}")["status"]["podIP"] + ":3000"
    kube.kubectl("delete", "pod", "listener", f"--namespace={at}", "--wait=false")


@pytest.fixture(scope="module")
def enforced(namespaces, image, neighbour):
    """Go on only where the cluster enforces policies at all."""
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "locked-in", "namespace": namespaces["strangers"]},
        "spec": {"podSelector": {"matchLabels": {"locked": "in"}}, "policyTypes": ["Egress"]},
    }
    kube.apply(policy)
    closed = f"closed:{neighbour}"
    if reachable(namespaces["strangers"], image, closed, labels={"locked": "in"}):
        pytest.skip("the cluster enforces no network policies")
    return True


@pytest.fixture
def known(running, enforced, neighbour):
    """Return addresses by name."""
    assert enforced
    dns = kube.get("service", "kube-dns", "--namespace=kube-system")["spec"]["clusterIP"]
    gateway, *_ = running.gateways()
    (simulator,) = kube.pods(running.namespace, "simulator")
    address = gateway["status"]["podIP"]
    return {
        "gateway": f"{address}:8080",
        "admin": f"{address}:8081",
        "service": f"docwarden.{running.namespace}:80",
        "simulator": simulator["status"]["podIP"] + ":3000",
        "neighbour": neighbour,
        "dns": f"{dns}:53",
        "api": "kubernetes.default:443",
    }


@pytest.mark.parametrize(
    ("who", "opened", "closed"),
    [
        (("clients", {}), "gateway service neighbour", "admin simulator"),
        (("monitoring", {}), "admin neighbour", "gateway service simulator"),
        (("strangers", {}), "neighbour", "gateway service admin simulator"),
        (("release", {}), "neighbour", "gateway service admin simulator"),
        (("release", TESTER), "gateway service", "admin simulator neighbour"),
    ],
    ids=["a client", "monitoring", "a stranger", "a neighbour in the namespace", "helm test"],
)
def test_the_policies_admit_and_refuse(  # noqa: PLR0917 - fixtures
    namespaces, image, known, figure, who, opened, closed
):
    role, labels = who
    expected = [f"open:{known[name]}" for name in opened.split()]
    expected += [f"closed:{known[name]}" for name in closed.split()]
    assert reachable(namespaces[role], image, *expected, labels=labels) == {}
    figure(f"reaches {opened.replace(' ', ', ')}; not {closed.replace(' ', ', ')}")


@pytest.mark.parametrize(
    ("component", "opened", "closed"),
    [("gateway", "simulator dns", "neighbour api"), ("simulator", "", "gateway neighbour dns")],
    ids=["the gateway", "the simulator"],
)
def test_the_policies_let_out(running, known, figure, component, opened, closed):  # noqa: PLR0917 - fixtures
    pod = kube.name(kube.pods(running.namespace, component)[0])
    # Names cannot be resolved where DNS is closed.
    api = kube.get("service", "kubernetes", "--namespace=default")["spec"]["clusterIP"]
    at = {**known, "api": f"{api}:443"}
    expected = [f"open:{at[name]}" for name in opened.split()]
    expected += [f"closed:{at[name]}" for name in closed.split()]
    assert kube.python(running.namespace, pod, REACH, *expected).strip() == "{}"
    figure(f"reaches {opened.replace(' ', ', ') or 'nobody'}; not {closed.replace(' ', ', ')}")
