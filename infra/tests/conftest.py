"""Both environments, synthesised once per session: Node and jsii take seconds to start."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from testkit.assembly import Assembly, read_assembly

INFRA = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def cloud_assembly(tmp_path_factory):
    """Synthesise as the CDK command line would, with neither credentials nor a way out."""
    out = tmp_path_factory.mktemp("cdk.out")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path_factory.mktemp("home")),
        "CDK_OUTDIR": str(out),
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "1",
        "PYTHONWARNINGS": "error::DeprecationWarning:__main__",
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
        timeout=180,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-8000:]
    return out


@pytest.fixture(scope="session")
def staging(cloud_assembly) -> Assembly:
    return read_assembly(cloud_assembly, "staging")


@pytest.fixture(scope="session")
def production(cloud_assembly) -> Assembly:
    return read_assembly(cloud_assembly, "production")


@pytest.fixture(scope="session", params=["staging", "production"])
def assembly(request, cloud_assembly) -> Assembly:
    """Either environment."""
    return read_assembly(cloud_assembly, request.param)
