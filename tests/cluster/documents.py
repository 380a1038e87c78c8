"""An upstream outside the release: a simulator of our own, in the archive's namespace."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.cluster import kube


@contextmanager
def served(namespace: str, image: dict[str, str], *options: str) -> Iterator[dict[str, Any]]:
    """Serve documents with the simulator's `options`; yield the chart's values that fetch them."""
    container = {
        "command": ["docwarden", "simulate", "--listen=0.0.0.0:3000", "--control=off", *options],
        "args": [],
        "resources": {"requests": {"cpu": "50m"}, "limits": {"memory": "1Gi"}},
    }
    pod = kube.script_pod(
        "documents",
        image=image,
        script="reach",
        arguments=[],
        labels={"app": "documents"},
        container=container,
    )
    metadata = {"name": "documents", "namespace": namespace}
    spec = {"selector": {"app": "documents"}, "ports": [{"port": 80, "targetPort": 3000}]}
    kube.start(namespace, pod)
    kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    at = f"--namespace={namespace}"
    kube.kubectl("wait", "--for=condition=Ready", "pod/documents", at)
    label = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    peers = {"peers": [{"namespaceSelector": label}], "port": 3000}
    yield {
        "simulator": {"enabled": False},
        "upstream": {"url": f"http://documents.{namespace}/{{id}}"},
        "networkPolicy": {"upstream": peers},
    }
    kube.kubectl("delete", "pod/documents", "service/documents", at)
