"""What is in the image, and what is not."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from docwarden.simulator.documents import make

from containers import HARDENED, IMAGE, podman, run

MOST_BYTES = 150_000_000
ROOT = Path(__file__).parents[2]
TOOLS = "ash bash busybox cc curl dash g++ gcc ld make nc perl pip pip3 sh sudo tar wget apt dpkg"


@pytest.fixture(scope="module")
def image():
    return json.loads(podman("image", "inspect", IMAGE))[0]


@pytest.fixture(scope="module")
def paths():
    listing = "import os\nfor at, _, names in os.walk('/', topdown=True):\n"
    listing += " if not at.startswith(('/proc', '/sys', '/dev')):\n"
    listing += "  for name in names: print(os.path.join(at, name))"
    ways = ("--rm", "--no-healthcheck", *HARDENED, "--user=0", "--entrypoint=python")
    return [Path(line) for line in podman("run", *ways, IMAGE, "-c", listing).splitlines()]


def test_image_is_smaller_than_150_megabytes(image, figure):
    figure(f"size: {image['Size'] / 1e6:.1f} MB uncompressed")
    assert image["Size"] < MOST_BYTES


def test_there_is_no_shell_compiler_package_manager_or_pip(paths):
    assert {path.name for path in paths}.isdisjoint(TOOLS.split())
    assert not [path for path in paths if "pip" in path.parts]
    assert Path("/usr/bin/python3.13") in paths


def test_nothing_is_setuid_or_open_to_the_world():
    search = "import os, stat\nfor at, _, names in os.walk('/usr'):\n for name in names:\n"
    search += "  mode = os.lstat(os.path.join(at, name)).st_mode\n"
    search += "  if mode & 0o6000 or (mode & 0o002 and not stat.S_ISLNK(mode)): print(at, name)"
    search += "\nprint('searched')"
    ways = ("--rm", "--no-healthcheck", *HARDENED, "--entrypoint=python")
    assert podman("run", *ways, IMAGE, "-c", search) == "searched"


def test_every_module_is_compiled(paths):
    homes = (Path("/opt/docwarden"), Path("/usr/lib/python3.13"))
    sources = {
        path.with_suffix("")
        for path in paths
        if path.suffix == ".py" and not set(homes).isdisjoint(path.parents)
    }
    compiled = {
        path.parent.parent / path.name.split(".")[0] for path in paths if path.suffix == ".pyc"
    }
    assert len(sources) > 1000
    assert sources - compiled == set()


def test_settings_of_the_image_are_as_documented(image):
    config = image["Config"]
    assert config["User"] == "65532:65532"
    assert config["Entrypoint"] == ["docwarden"]
    assert config["Cmd"] == ["serve"]
    assert config["StopSignal"] == "SIGTERM"
    assert set(config["ExposedPorts"]) == {"8080/tcp", "8081/tcp"}
    assert "DOCWARDEN_LISTEN=0.0.0.0:8080" in config["Env"]
    assert "DOCWARDEN_ADMIN_LISTEN=0.0.0.0:8081" in config["Env"]
    assert image["HealthCheck" if "HealthCheck" in image else "Healthcheck"]["Test"] == [
        "CMD",
        "docwarden",
        "probe",
        "live",
    ]


def test_labels_say_what_was_built_from_what(image):
    labels = {key.rpartition(".")[2]: value for key, value in image["Labels"].items()}
    assert labels["title"] == "docwarden"
    assert labels["licenses"] == "Apache-2.0"
    assert len(labels["revision"]) == 40
    assert f"DOCWARDEN_REVISION={labels['revision']}" in image["Config"]["Env"]
    assert labels["version"] in podman("run", "--rm", "--no-healthcheck", IMAGE, "--version")


def test_image_verifies_every_format_with_the_strict_parsers(tmp_path):
    kinds = ("gif", "jpeg", "pdf", "png", "tiff", "webp")
    for kind in kinds:
        for document in (make(kind), make(kind).corrupted()):
            (tmp_path / document.kind).write_bytes(document.body)
    tmp_path.chmod(0o755)
    ways = ("--rm", "--no-healthcheck", *HARDENED, f"--volume={tmp_path}:/documents:ro")
    done = run("run", *ways, IMAGE, "inspect", "--json", "/documents")
    assert done.returncode == 1, done.stderr
    verdicts = {Path(each["file"]).name: each for each in map(json.loads, done.stdout.splitlines())}
    assert {name: each["intact"] for name, each in verdicts.items()} == {
        **dict.fromkeys(kinds, True),
        **{f"corrupt-{kind}": False for kind in kinds},
    }
    assert {each["reason"] for each in verdicts.values() if each["intact"]} == {None}


@pytest.mark.parametrize(
    "module",
    [
        "opentelemetry.exporter.otlp.proto.http.trace_exporter",
        "opentelemetry.sdk.trace.export",
        "redis.asyncio",
        "ssl, hashlib, bz2, lzma, ctypes, uuid, decimal, zoneinfo",
    ],
)
def test_optional_parts_load_in_the_image(module):
    ways = ("--rm", "--no-healthcheck", *HARDENED, "--entrypoint=python")
    done = run("run", *ways, IMAGE, "-W", "error", "-c", f"import {module}")
    assert (done.returncode, done.stderr.count("Error")) == (0, 0), done.stderr


def test_two_builds_make_one_image(tmp_path):
    for name in ("Dockerfile", ".dockerignore", "LICENSE", "NOTICE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("image", "requirements", "src"):
        shutil.copytree(ROOT / name, tmp_path / name)
    environment = {
        **os.environ,
        "ENGINE": "podman",
        "REVISION": "1" * 40,
        "SOURCE_DATE_EPOCH": "1700000000",
    }
    built = []
    for _ in range(2):
        name = f"localhost/docwarden-twin:{os.getpid()}-{len(built)}"
        # Without a cache of intermediate images, whose random names the history would show, and
        # without the random container name that Docker's old format has and OCI's has not.
        ways = ("--quiet", "--layers=false", "--format=oci")
        command = [tmp_path / "image/build.sh", name, *ways]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=900
        )
        assert done.returncode == 0, done.stderr
        built.append(name)
    first, second = (podman("image", "inspect", "--format={{.Digest}}", name) for name in built)
    run("image", "rm", "--force", *built)
    assert first == second
