"""The rendered objects, run by podman from the real image.

Podman reads Deployments and ConfigMaps as Kubernetes does. It has no kubelet's HTTP probes (it runs
curl inside the container for them), so these tests take the probes out and ask the same questions
themselves.
"""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

CHART = Path(__file__).parents[1] / "docwarden"
IMAGE = os.environ["CHART_IMAGE"]
REPOSITORY, _, TAG = IMAGE.rpartition(":")
VALUES = {
    "image": {"repository": REPOSITORY, "tag": TAG, "pullPolicy": "Never"},
    "drain": {"delaySeconds": 1, "timeoutSeconds": 5, "gracePeriodSeconds": 15},
}
SIGNATURES = {"application/pdf": b"%PDF-", "image/png": b"\x89PNG\r\n\x1a\n"}
START_DEADLINE = 60.0


def run(*arguments, given=""):
    return subprocess.run(
        ["podman", *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def podman(*arguments, given="", check=True):
    done = run(*arguments, given=given)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def rendered(release, folder, values):
    path = folder / f"{release}.yaml"
    path.write_text(yaml.safe_dump({**VALUES, **values}))
    command = [os.environ["HELM"], "template", release, CHART, f"--values={path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return {
        (each["kind"], each["metadata"]["name"]): each
        for each in yaml.safe_load_all(done.stdout)
        if each
    }


def only_container(workload):
    (container,) = workload["spec"]["template"]["spec"]["containers"]
    return container


def find_pod(workload):
    """Return what podman knows of the workload's pod; its name differs between releases."""
    labels = workload["spec"]["selector"]["matchLabels"]
    filters = [f"--filter=label={name}={value}" for name, value in labels.items()]
    (name,) = podman("pod", "ps", "--format={{.Name}}", *filters).split()
    found = json.loads(podman("pod", "inspect", name))
    return found[0] if isinstance(found, list) else found


def free_ports(count):
    """Return ports of the host that nobody has, all taken at once so that they differ."""
    with ExitStack() as taken:
        sockets = [
            taken.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        return [each.getsockname()[1] for each in sockets]


def address(pod):
    infra = json.loads(podman("inspect", pod["InfraContainerID"]))[0]
    return next(each["IPAddress"] for each in infra["NetworkSettings"]["Networks"].values())


def ask(url):
    """Return (status, headers, body); status 0 when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=15) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()
    except OSError:
        return 0, {}, b""


def wait_for(url, container):
    deadline = time.monotonic() + START_DEADLINE
    while ask(url)[0] != 200:
        if time.monotonic() > deadline:
            pytest.fail(f"{url} did not answer:\n{podman('logs', container, check=False)}")
        time.sleep(0.05)


class Played:
    """One workload that podman runs."""

    def __init__(self, workload, *others):
        self.workload = workload
        workload["spec"]["replicas"] = 1  # a port of the host is published once
        self.spec = only_container(workload)
        self.probes = {
            kind: self.spec.pop(kind)
            for kind in ("startupProbe", "readinessProbe", "livenessProbe")
            if kind in self.spec
        }
        # The host does not reach a pod by its address where podman runs without root, so the ports
        # are published: https://docs.podman.io/en/latest/markdown/podman-kube-play.1.html
        self.ports = {each["name"]: each["containerPort"] for each in self.spec["ports"]}
        self._play(workload, others)
        pod = find_pod(workload)
        self.pod = pod["Name"]
        self.address = address(pod)
        (self.container,) = (
            each["Name"] for each in pod["Containers"] if each["Id"] != pod["InfraContainerID"]
        )

    def _play(self, workload, others):
        """Start it; anew with other ports where somebody was quicker to take one."""
        for attempts_left in reversed(range(3)):
            self.published = dict(zip(self.ports, free_ports(len(self.ports)), strict=True))
            for each in self.spec["ports"]:
                each |= {"hostIP": "127.0.0.1", "hostPort": self.published[each["name"]]}
            given = yaml.safe_dump_all((workload, *others))
            done = run("kube", "play", "-", given=given)
            if done.returncode == 0:
                return
            assert attempts_left, done.stderr
            assert "address already in use" in done.stderr, done.stderr
            run("kube", "down", "-", given=given)

    def url(self, port, path):
        """Where the host reaches it."""
        return f"http://127.0.0.1:{self.published[port]}{path}"

    def url_for_pods(self, port, path):
        return f"http://{self.address}:{self.ports[port]}{path}"

    def remove(self):
        podman("pod", "rm", "--force", "--time=1", self.pod, check=False)


@pytest.fixture(scope="module")
def release():
    # image/sweep.sh knows by it whose it is.
    return f"docwarden-test-{os.getpid()}-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def simulator(release, tmp_path_factory):
    objects = rendered(release, tmp_path_factory.mktemp("values"), {"simulator": {"enabled": True}})
    played = Played(objects["Deployment", f"{release}-simulator"])
    yield played
    played.remove()


@pytest.fixture(scope="module")
def gateway(release, simulator, tmp_path_factory):
    # Podman has no Services: the simulator is named by its address instead of its Service.
    url = simulator.url_for_pods("http", "/{id}")
    objects = rendered(release, tmp_path_factory.mktemp("values"), {"upstream": {"url": url}})
    played = Played(objects["Deployment", release], objects["ConfigMap", release])
    try:
        wait_for(played.url("admin", "/readyz"), played.container)
        yield played
    finally:
        played.remove()
        podman("volume", "rm", "--force", release, check=False)


def test_every_probe_of_the_manifest_is_answered(gateway):
    assert len(gateway.probes) == 3
    for kind, probe in gateway.probes.items():
        asked = probe["httpGet"]
        assert ask(gateway.url(asked["port"], asked["path"]))[0] == 200, kind


def test_documents_arrive_intact_with_the_type_of_their_bytes(gateway):
    for number in range(40):
        status, headers, body = ask(gateway.url("http", f"/{number}"))
        assert status == 200
        assert body.startswith(SIGNATURES[headers["Content-Type"]])


def test_the_settings_of_the_config_map_are_in_force(gateway):
    shown = podman("exec", gateway.container, "docwarden", "config")
    assert "DOCWARDEN_DRAIN_TIMEOUT" in shown
    assert gateway.workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 15
    assert "5s" in shown


def test_the_container_is_as_closed_as_the_manifest_says(gateway):
    container = json.loads(podman("inspect", gateway.container))[0]
    assert container["Config"]["User"].split(":")[0] == "65532"
    assert container["HostConfig"]["ReadonlyRootfs"] is True
    assert not container["EffectiveCaps"]


def test_the_script_of_helm_test_passes_inside_the_image(gateway, release, tmp_path):
    objects = rendered(release, tmp_path, {"simulator": {"enabled": True}})
    (delivery,) = objects["Pod", f"{release}-test"]["spec"]["containers"]
    # Exec does not share the image's entry point: this is the pod's own command.
    command = [*delivery["command"], gateway.url_for_pods("http", ""), *delivery["args"][1:]]
    assert "5 of 5 documents arrived intact" in podman("exec", gateway.container, *command)


def test_a_stopped_pod_drains_within_its_grace_period_and_exits_clean(gateway):
    grace = gateway.workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    started = time.monotonic()
    podman("stop", f"--time={grace}", gateway.container)
    took = time.monotonic() - started
    state = json.loads(podman("inspect", gateway.container))[0]["State"]
    assert state["ExitCode"] == 0
    assert took < grace
