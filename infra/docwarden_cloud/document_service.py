"""A document service of the environment's own: any image that answers documents on port 3000.

The assignment's service is built from its directory and pushed by ``make infra-document-service``;
the gateway then asks it in place of the chart's simulator.
"""

import re
from typing import Any

from docwarden_cloud.environments import SERVICE

NAME = f"{SERVICE}-upstream"
URL = f"http://{NAME}:80/{{id}}"
PORT = 3000

_BY_DIGEST = re.compile(r"[a-z0-9][a-z0-9.:/_-]*@sha256:[0-9a-f]{64}")
_LABELS = {"app.kubernetes.io/name": NAME}


def manifests(image: str) -> list[dict[str, Any]]:
    """Deployment, Service and NetworkPolicy, as Pod Security "restricted" admits them.

    Args:
        image: With its digest, so that what was looked at is what runs.

    Raises:
        ValueError: The image is named by a tag, or not at all.
    """
    if not _BY_DIGEST.fullmatch(image):
        raise ValueError(f"{image!r} is no image by digest; it reads repository@sha256:...")
    return [_deployment(image), _service(), _network_policy()]


def helm_values() -> dict[str, Any]:
    """What the gateway's release has to know of it."""
    peers = [{"podSelector": {"matchLabels": _LABELS}}]
    return {"upstream": {"url": URL}, "peers": peers, "port": PORT}


def _metadata() -> dict[str, Any]:
    return {"name": NAME, "namespace": SERVICE, "labels": _LABELS}


def _deployment(image: str) -> dict[str, Any]:
    container = {
        "name": "documents",
        "image": image,
        "ports": [{"name": "http", "containerPort": PORT}],
        # Asks for the port only: any path may answer with a fault.
        "readinessProbe": {"tcpSocket": {"port": "http"}, "periodSeconds": 2},
        "resources": {
            "requests": {"cpu": "50m", "memory": "128Mi"},
            "limits": {"cpu": "1", "memory": "256Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108  inside the container
    }
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": pod},
        },
    }


def _service() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(),
        "spec": {
            "selector": _LABELS,
            "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
        },
    }


def _network_policy() -> dict[str, Any]:
    """Only the gateway may ask, and the service may ask nobody."""
    gateway = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": SERVICE}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": _metadata(),
        "spec": {
            "podSelector": {"matchLabels": _LABELS},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [gateway], "ports": [{"port": PORT, "protocol": "TCP"}]}],
            "egress": [],
        },
    }
