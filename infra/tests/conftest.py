"""Every environment, synthesised once per session: Node and jsii take seconds to start."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from docwarden_cloud import bootstrap, preflight, teardown
from docwarden_cloud.environments import Environment
from docwarden_cloud.preflight import Finding
from docwarden_cloud.values import named
from testkit.assembly import Assembly, read_assembly
from testkit.moto_cloud import moto_cloud
from testkit.programs import Programs

INFRA = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Synthesis:
    """What one run of the application left behind."""

    directory: Path
    status: int
    messages: str


@pytest.fixture(scope="session")
def synthesis(tmp_path_factory) -> Synthesis:
    """Synthesise as the CDK command line would, with neither credentials nor a way out."""
    out = tmp_path_factory.mktemp("cdk.out")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("home")),
        "CDK_OUTDIR": str(out),
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
        # Nothing listens there: whoever asks for AWS or for the web fails at once.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    made = subprocess.run(
        [sys.executable, "app.py"],
        cwd=INFRA,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    # A finding of cdk-nag fails the run after the templates are written; its own test says so.
    assert (out / "manifest.json").is_file(), made.stderr[-8000:]
    return Synthesis(out, made.returncode, made.stdout + made.stderr)


@pytest.fixture(scope="session")
def staging(synthesis) -> Assembly:
    return read_assembly(synthesis.directory, "staging")


@pytest.fixture(scope="session")
def production(synthesis) -> Assembly:
    return read_assembly(synthesis.directory, "production")


@pytest.fixture(scope="session")
def demo(synthesis) -> Assembly:
    return read_assembly(synthesis.directory, "demo")


@pytest.fixture(scope="session", params=["demo", "staging", "production"])
def assembly(request, synthesis) -> Assembly:
    """Any environment."""
    return read_assembly(synthesis.directory, request.param)


@pytest.fixture(scope="session", params=["staging", "production"])
def delivered(request, synthesis) -> Assembly:
    """An environment that workflows deliver to, under a name of its own."""
    return read_assembly(synthesis.directory, request.param)


@pytest.fixture(scope="session")
def environment(assembly) -> Environment:
    """The values of that environment."""
    return named(assembly.environment)


@pytest.fixture(scope="module")
def moto():
    with moto_cloud("us-east-2") as cloud:
        yield cloud


@pytest.fixture
def aws(moto):
    """An empty account."""
    moto.forget()
    return moto


@pytest.fixture
def account(aws, monkeypatch):
    """The same with credentials in the environment, which may do it all."""
    # moto's IAM simulates nothing.
    allowed = [Finding("ok", "may do it all")]
    monkeypatch.setattr(preflight, "rights", lambda *_given: allowed)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return aws


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Stand-ins, first in the path, for the programs that set an environment up."""
    programs = Programs.within(tmp_path)
    for name in ("aws", "dig", "docker", "helm", "kubectl", "make", "node"):
        programs.script(name)
    monkeypatch.setenv("PATH", f"{programs.folder}:{os.environ['PATH']}")
    cdk = Path(programs.script("cdk"))
    monkeypatch.setattr(bootstrap, "CDK", cdk)
    monkeypatch.setattr(teardown, "CDK", cdk)
    return programs
