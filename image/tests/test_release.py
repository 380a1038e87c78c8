"""What the release and deploy workflows run, with stand-ins for what it talks to."""

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "ab" * 32
COMMIT = "c0" * 20
REPOSITORY = "registry.example/docwarden"
ECR = "account.example/docwarden"


@pytest.fixture
def tools(tmp_path):
    """Stand-ins, first on the PATH, that note how they were called."""
    calls = tmp_path / "calls"
    calls.touch()
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name in ("aws", "cosign", "curl", "docker", "helm", "kubectl"):
        tool = bin_ / name
        tool.write_text(f'#!/bin/sh\necho "{name} $*" >>"{calls}"\n')
        tool.chmod(0o755)
    return calls


@pytest.fixture
def make(tools):
    """Run a target of image/release.mk as a workflow does."""

    # Neither is what is tested here, and both would be installed.
    ready = tools.parent / "ready"
    ready.touch()

    def run(target, *arguments, **variables):
        path = f"{tools.parent}/bin:{os.environ['PATH']}"
        made = subprocess.run(
            [
                "make",
                "--silent",
                target,
                f"REPOSITORY={REPOSITORY}",
                f"TO={ECR}",
                *arguments,
                f"HELM={ready}",
                f"INFRA_READY={ready}",
            ],
            cwd=ROOT,
            env={**os.environ, "PATH": path, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return made.returncode, tools.read_text().splitlines()

    return run


USERS_OF_DIGEST = [
    *("try-image", "sign-image", "verify-image", "tag-image", "copy-image"),
    *("package-chart", "push-chart", "rollout", "smoke"),
]


@pytest.mark.parametrize("target", USERS_OF_DIGEST)
@pytest.mark.parametrize("given", ["argument", "environment"])
@pytest.mark.parametrize(
    "text",
    [
        pytest.param("$(shell touch {mark})" + DIGEST, id="for make"),
        pytest.param("';touch {mark};'", id="for the shell"),
        pytest.param("v1.2.3", id="a tag"),
        pytest.param(DIGEST + "0", id="too long"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_is_no_digest_is_refused_and_not_run(make, tmp_path, target, given, text):
    mark = tmp_path / "was-run"
    digest = text.format(mark=mark)
    if given == "argument":
        status, calls = make(target, f"DIGEST={digest}")
    else:
        status, calls = make(target, DIGEST=digest)
    assert not mark.exists()
    assert status != 0
    assert calls == []


@pytest.mark.parametrize("given", ["argument", "environment"])
@pytest.mark.parametrize("text", ["$(shell touch {mark})", "';touch {mark};'", "main", ""])
def test_what_is_no_commit_is_refused_and_not_run(make, tmp_path, given, text):
    mark = tmp_path / "was-run"
    commit = text.format(mark=mark)
    if given == "argument":
        status, calls = make("verify-image", f"COMMIT={commit}", DIGEST=DIGEST)
    else:
        status, calls = make("verify-image", DIGEST=DIGEST, COMMIT=commit)
    assert not mark.exists()
    assert status != 0
    assert calls == []


@pytest.mark.parametrize("given", ["argument", "environment"])
def test_signing_and_verifying_name_the_image_by_digest(make, given):
    values = {"DIGEST": DIGEST, "COMMIT": COMMIT}
    arguments = [f"{name}={value}" for name, value in values.items() if given == "argument"]
    environment = {} if arguments else values
    for target in ("sign-image", "verify-image"):
        status, calls = make(
            target,
            "SIGNER=https://forge.example/deploy.yml@refs/heads/main",
            *arguments,
            **environment,
        )
        assert status == 0
        assert calls[-1].startswith(f"cosign {target.removesuffix('-image')} ")
        assert calls[-1].endswith(f"{REPOSITORY}@{DIGEST}")


def test_verifying_asks_for_one_workflow_at_one_place_and_for_the_commit(make):
    signer = "https://forge.example/deploy.yml@refs/heads/main"
    _, calls = make("verify-image", f"SIGNER={signer}", DIGEST=DIGEST, COMMIT=COMMIT)
    asked = calls[-1].split()
    assert asked[asked.index("--certificate-identity") + 1] == signer
    assert asked[asked.index("--certificate-github-workflow-sha") + 1] == COMMIT


@pytest.mark.parametrize(
    ("there", "status", "copied"),
    [("", 0, True), (DIGEST, 0, False), ("sha256:" + "cd" * 32, 2, False)],
)
def test_copying_an_image_leaves_tags_alone_that_are_there(make, tools, there, status, copied):
    # A registry that has what was made of a tag, as docker buildx imagetools tells it.
    tag = tools.parent / "tag"
    tag.write_text(there)
    (tools.parent / "bin/docker").write_text(
        f'#!/bin/sh\necho "docker $*" >>"{tools}"\n'
        f'case "$3" in create) echo {DIGEST} >"{tag}" ;; inspect) cat "{tag}" ;; esac\n'
    )
    ended, calls = make("copy-image", f"TAG=sha-{COMMIT}", DIGEST=DIGEST)
    assert ended == status
    create = f"docker buildx imagetools create --tag {ECR}:sha-{COMMIT} {REPOSITORY}@{DIGEST}"
    assert (create in calls) is copied
    looked = (
        f"docker buildx imagetools inspect {ECR}:sha-{COMMIT} --format {{{{.Manifest.Digest}}}}"
    )
    assert set(calls) <= {create, looked}


def pod(name, image, **metadata):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "docwarden", **metadata},
        "spec": {"containers": [{"name": "docwarden", "image": image}]},
        "status": {"phase": "Running"},
    }


class Deployment:
    """As much of a Kubernetes API and of a gateway as a check from outside sees."""

    def __init__(self):
        self.pods = []

    def answer(self, path):
        """The media type and the body for a path, or nothing."""
        documents = {f"/{number}" for number in range(1, 21)}
        path = path.partition("?")[0]
        resource = {"name": "pods", "namespaced": True, "kind": "Pod", "verbs": ["get", "list"]}
        api = {
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
            "/api/v1": {
                "kind": "APIResourceList",
                "groupVersion": "v1",
                "resources": [{**resource, "singularName": "pod", "shortNames": ["po"]}],
            },
            "/api/v1/namespaces/docwarden/pods": {
                "kind": "PodList",
                "apiVersion": "v1",
                "metadata": {},
                "items": self.pods,
            },
        }
        if path in api:
            return "application/json", json.dumps(api[path]).encode()
        return ("application/pdf", b"%PDF-1.7") if path in documents else None


@pytest.fixture
def deployment():
    deployed = Deployment()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked = self.requestline.split()[
                1
            ]  # self.path hides that a path begins with two slashes
            media_type, body = deployed.answer(asked) or ("text/plain", b"")
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    deployed.url = f"http://127.0.0.1:{server.server_port}"
    yield deployed
    server.shutdown()
    server.server_close()


@pytest.fixture
def smoke(tmp_path, deployment):
    (tmp_path / "build").mkdir()
    cluster = {"name": "here", "cluster": {"server": deployment.url}}
    context = {"name": "here", "context": {"cluster": "here", "user": ""}}
    (tmp_path / "config").write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [cluster],
                "contexts": [context],
                "current-context": "here",
            }
        )
    )

    def run(url=deployment.url):
        return subprocess.run(
            [ROOT / "image/smoke.sh", "docwarden", DIGEST, url],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": "config"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


NEW = f"{ECR}@{DIGEST}"
OLD = f"{ECR}@sha256:{'0' * 64}"


def test_rollout_is_good_when_every_pod_runs_the_image_and_documents_arrive(smoke, deployment):
    deployment.pods = [pod("a", NEW), pod("b", NEW)]
    done = smoke()
    assert done.returncode == 0, done.stderr
    assert "20 documents arrived" in done.stdout


def test_pods_on_their_way_out_may_run_the_image_before(smoke, deployment):
    deployment.pods = [pod("a", OLD, deletionTimestamp="2026-11-24T00:00:00Z"), pod("b", NEW)]
    done = smoke()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("pods", "message"),
    [
        ([pod("a", OLD), pod("b", NEW)], "these pods run another image"),
        ([pod("a", NEW, deletionTimestamp="2026-11-24T00:00:00Z")], "no pod runs"),
        ([], "no pod runs"),
    ],
)
def test_rollout_is_bad_when_a_pod_that_stays_runs_another_image_or_none_does(
    smoke, deployment, pods, message
):
    deployment.pods = pods
    done = smoke()
    assert done.returncode == 1
    assert message in done.stderr


def test_public_address_may_end_in_a_slash(smoke, deployment):
    deployment.pods = [pod("a", NEW)]
    done = smoke(deployment.url + "/")
    assert done.returncode == 0, done.stderr
