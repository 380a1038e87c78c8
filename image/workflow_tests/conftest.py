"""A container registry and a machine for the workflows' steps."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from runner import Runner

# The password is `password`.
USERS = "user:$2b$05$QfwUMUmlXS4CcRRf9/a2FOsviSHU7QFrgGlLZQQR1wiTQXzdKOIxK\n"


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="run the slow steps, too")


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """A real registry, with TLS and a password: where it is, and the certificate to trust."""
    folder = tmp_path_factory.mktemp("registry")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"localhost:{taken.getsockname()[1]}"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run(command, check=True, capture_output=True)
    (folder / "users").write_text(USERS)
    settings = folder / "config.yml"
    described = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": f"{folder}/data"}},
        "http": {
            "addr": place,
            "tls": {"certificate": f"{folder}/cert.pem", "key": f"{folder}/key.pem"},
        },
        "auth": {"htpasswd": {"realm": "here", "path": f"{folder}/users"}},
    }
    settings.write_text(json.dumps(described))  # which is YAML, too
    process = subprocess.Popen(
        ["docker-registry", "serve", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(place.rpartition(":")[2]))) == 0:
                break
        time.sleep(0.05)
    yield place, folder / "cert.pem"
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="session")
def runner(registry):
    place, certificate = registry
    # Not in pytest's own folder, which every session of it closes to other users.
    folder = Path(tempfile.mkdtemp(prefix="docwarden-workflows-"))
    folder.chmod(0o755)
    try:
        trusted = folder / "trusted.pem"
        system = Path(os.environ.get("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"))
        trusted.write_text(system.read_text() + certificate.read_text())
        os.environ["SSL_CERT_FILE"] = str(trusted)
        yield Runner(folder, place)
    finally:
        shutil.rmtree(folder)
