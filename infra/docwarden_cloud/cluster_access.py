"""How kubectl and helm reach a cluster, and what it has to hold before the first release."""

import base64
import json
import socket
from typing import Any
from urllib.parse import urlsplit

import boto3

from docwarden_cloud.commands import ROOT, run
from docwarden_cloud.environments import ADMINISTRATOR, SERVICE
from docwarden_cloud.outputs import fetch_outputs

_PREPARED = ROOT / "infra" / "cluster" / "prepare.yaml"
_PATIENCE_S = 5


def use_cluster(prefix: str, region: str, *, as_administrator: bool) -> None:
    """Point kubectl and helm at an environment's cluster.

    The cluster is looked up with the caller's own rights; the administrator's role is assumed
    later, for each token that kubectl asks for.

    Raises:
        CalledProcessError: The cluster is not there, or may not be seen.
    """
    command = ["aws", "eks", "update-kubeconfig", "--name", prefix, "--region", region]
    if as_administrator:
        account = boto3.client("sts", region_name=region).get_caller_identity()["Account"]
        command += ["--role-arn", f"arn:aws:iam::{account}:role/{prefix}-{ADMINISTRATOR}"]
    run(command)


def reachable(eks: Any, name: str) -> bool:
    """Whether the cluster's API takes connections from here."""
    endpoint = urlsplit(eks.describe_cluster(name=name)["cluster"]["endpoint"])
    try:
        with socket.create_connection((endpoint.hostname, endpoint.port or 443), _PATIENCE_S):
            return True
    except OSError:
        return False


def prepare_cluster(prefix: str, region: str, *, with_store: bool) -> None:
    """Make the namespace, what network policies need, and the deployers' rights.

    What needs the rights of the account comes first; inside the cluster the administrator's role
    acts, which has none of them.

    Raises:
        CalledProcessError: kubectl failed.
    """
    secret = _store_secret(prefix, region) if with_store else None
    use_cluster(prefix, region, as_administrator=True)
    run(["kubectl", "apply", "--filename", str(_PREPARED)])
    if secret:
        run(["kubectl", "apply", "--filename", "-"], given=json.dumps(secret))


def _store_secret(prefix: str, region: str) -> dict[str, Any]:
    outputs = fetch_outputs(boto3.client("cloudformation", region_name=region), prefix)
    kept = boto3.client("secretsmanager", region_name=region).get_secret_value(
        SecretId=outputs["StoreSecret"]
    )
    password = json.loads(kept["SecretString"])["password"]
    url = f"rediss://:{password}@{outputs['StoreHost']}:{outputs['StorePort']}/0"
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"{SERVICE}-store", "namespace": SERVICE},
        "data": {"DOCWARDEN_STORE_URL": base64.b64encode(url.encode()).decode()},
    }
