"""The cluster that KUBECONFIG names, by way of kubectl."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parent / "pods"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
    "runAsNonRoot": True,
    "runAsUser": 65532,
}


class CommandError(AssertionError):
    """A command failed; the message holds it and the end of what it said."""


def run(command: list[str], *, given: str = "", timeout: float = 300) -> str:
    """Run a command and return its output.

    Raises:
        CommandError: it failed or took longer than `timeout` seconds.
    """
    try:
        done = subprocess.run(
            command, input=given, capture_output=True, text=True, check=False, timeout=timeout
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(f"{command} took more than {timeout:.0f} s") from error
    if done.returncode:
        raise CommandError(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-3000:]}")
    return done.stdout


def kubectl(*arguments: str, given: str = "", timeout: float = 120) -> str:
    """Run kubectl and return its output."""
    return run([os.environ.get("KUBECTL", "kubectl"), *arguments], given=given, timeout=timeout)


def get(*arguments: str) -> dict[str, Any]:
    """Return what `kubectl get` finds."""
    found: dict[str, Any] = json.loads(kubectl("get", *arguments, "--output=json"))
    return found


def exists(*arguments: str) -> bool:
    """Whether `kubectl get` finds this."""
    return bool(kubectl("get", *arguments, "--ignore-not-found", "--output=name"))


def apply(*objects: dict[str, Any]) -> None:
    """Create or change objects."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
    kubectl("apply", "--filename=-", given=json.dumps(listed))


def until(what: str, condition: Callable[[], Any], *, within: float, every: float = 0.3) -> float:
    """Wait until `condition` holds and return how many seconds that took.

    Raises:
        AssertionError: it does not hold `within` so many seconds.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within:
            raise AssertionError(f"not within {within:.0f} s: {what}")
        time.sleep(every)
    return time.monotonic() - began


def nodes() -> list[str]:
    """Return the nodes that take any pod."""
    return [
        each["metadata"]["name"]
        for each in get("nodes")["items"]
        if not each["spec"].get("unschedulable")
        and not any(t["effect"] != "PreferNoSchedule" for t in each["spec"].get("taints", ()))
        and any(
            c["type"] == "Ready" and c["status"] == "True" for c in each["status"]["conditions"]
        )
    ]


def pods(namespace: str, component: str) -> list[dict[str, Any]]:
    """Return the pods of one component that are not being ended."""
    selector = f"--selector=app.kubernetes.io/component={component}"
    found = get("pods", f"--namespace={namespace}", selector)["items"]
    return [each for each in found if "deletionTimestamp" not in each["metadata"]]


def name(each: dict[str, Any]) -> str:
    """Return an object's name."""
    return str(each["metadata"]["name"])


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether the pod can take requests."""
    conditions = pod["status"].get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def restarts(pod: dict[str, Any]) -> int:
    """Return how often the pod's containers were started again."""
    return sum(each["restartCount"] for each in pod["status"].get("containerStatuses", ()))


def endpoints(namespace: str, service: str) -> set[str]:
    """Return the addresses that a Service sends requests to."""
    selector = f"--selector=kubernetes.io/service-name={service}"
    slices = get("endpointslices", f"--namespace={namespace}", selector)["items"]
    return {
        address
        for each in slices
        for endpoint in each.get("endpoints") or ()
        if endpoint["conditions"].get("ready")
        for address in endpoint["addresses"]
    }


def logs(namespace: str, pod: str, *, tail: int = -1) -> str:
    """Return what a pod's container has written."""
    return kubectl("logs", f"--namespace={namespace}", pod, f"--tail={tail}")


def python(namespace: str, pod: str, code: str, *arguments: str) -> str:
    """Run code in a pod of the gateway's image and return what it prints."""
    return kubectl("exec", f"--namespace={namespace}", pod, "--", "python", "-c", code, *arguments)


def script_pod(
    pod_name: str, *, image: dict[str, str], script: str, arguments: list[str], **more: Any
) -> dict[str, Any]:
    """Return a pod that runs one of the scripts in `pods` from the gateway's own image."""
    container = {
        "name": "script",
        **image,
        "command": ["python", "-c", (SCRIPTS / f"{script}.py").read_text()],
        "args": arguments,
        "securityContext": RESTRICTED,
        "resources": {
            "requests": {"cpu": "50m", "memory": "64Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        },
    }
    container.update(more.pop("container", {}))
    spec = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [container],
    }
    spec.update(more.pop("spec", {}))
    metadata = {"name": pod_name, "labels": more.pop("labels", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, **more}


def run_script(namespace: str, pod: dict[str, Any], *, within: float = 120) -> str:
    """Run a script's pod to its end and return what it printed last.

    Raises:
        AssertionError: it failed; the message holds what it said.
    """
    start(namespace, pod)

    def phase() -> str:
        return kubectl(
            *("get", "pod", name(pod), f"--namespace={namespace}"),
            "--output=jsonpath={.status.phase}",
        )

    until(f"pod {name(pod)} ends", lambda: phase() in ("Succeeded", "Failed"), within=within)
    said, ended = logs(namespace, name(pod)), phase()
    kubectl("delete", "pod", name(pod), f"--namespace={namespace}", "--wait=false")
    assert ended == "Succeeded", f"{name(pod)}:\n{said[-3000:]}"
    return said.strip().rpartition("\n")[2]


def start(namespace: str, pod: dict[str, Any]) -> None:
    """Start a pod, in place of one of that name."""
    kubectl("delete", "pod", name(pod), f"--namespace={namespace}", "--ignore-not-found")
    kubectl("create", f"--namespace={namespace}", "--filename=-", given=json.dumps(pod))


def tails(namespaces: list[str], *, lines: int = 15) -> Iterator[str]:
    """Return what tells why something failed: pods, warnings, the end of every pod's log."""
    for namespace in namespaces:
        at = f"--namespace={namespace}"
        yield f"--- pods of {namespace}\n" + kubectl("get", "pods", at, "--output=wide")
        events = kubectl("get", "events", at, "--field-selector=type=Warning", "--no-headers")
        yield f"--- warnings in {namespace}\n" + "\n".join(events.splitlines()[-lines:])
        for pod in get("pods", at)["items"]:
            try:
                said = logs(namespace, name(pod), tail=lines)
            except CommandError as error:
                said = str(error)[-500:]
            yield f"--- {namespace}/{name(pod)}\n{said}"
