"""What the release and deploy workflows run, with stand-ins for what it talks to."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "ab" * 32
REPOSITORY = "registry.example/docwarden"
ECR = "account.example/docwarden"
# Neither is what is tested here, and both would be installed.
HERE = ["HELM=Makefile", "INFRA_READY=Makefile"]


@pytest.fixture
def tools(tmp_path):
    """Stand-ins, first on the PATH, that note how they were called."""
    calls = tmp_path / "calls"
    calls.touch()
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for name in ("aws", "cosign", "curl", "helm", "kubectl"):
        tool = bin_ / name
        tool.write_text(f'#!/bin/sh\necho "{name} $*" >>"{calls}"\n')
        tool.chmod(0o755)
    return calls


@pytest.fixture
def make(tools):
    """Run a target of image/release.mk as a workflow does."""

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
                *HERE,
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


USERS_OF_DIGEST = ["sign-image", "verify-image", "copy-image", "rollout", "smoke"]


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
def test_signing_and_verifying_name_the_image_by_digest(make, given):
    digest = [f"DIGEST={DIGEST}"] if given == "argument" else []
    environment = {} if digest else {"DIGEST": DIGEST}
    for target in ("sign-image", "verify-image"):
        status, calls = make(
            target, "SIGNER=https://forge.example/release.yml", *digest, **environment
        )
        assert status == 0
        assert calls[-1].startswith(f"cosign {target.removesuffix('-image')} ")
        assert calls[-1].endswith(f"{REPOSITORY}@{DIGEST}")
