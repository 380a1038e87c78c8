"""The stack of compose.yaml, run for real, on ports that are free.

`STACK=whole` runs it as it is, with Docker Compose, which pulls its images. Without it
podman-compose runs what can be had of Debian's packages: gateway, upstream, Prometheus and
Alertmanager, and the collector where OTELCOL names its program. Loki is then a listener that notes
what it is sent, and Grafana is left out.
"""

import json
import os
import shutil
import subprocess
import urllib.request
from pathlib import Path

import pytest
import yaml

from containers import own_name, until
from load import status_of

ROOT = Path(__file__).parents[2]
WHOLE = os.environ.get("STACK") == "whole"
IMAGE = os.environ["IMAGE"]

LISTENER = """\
import gzip, http.server
lines = []
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        lines.append(self.path.encode() + b" " + body)
        self.send_response(200)
        self.end_headers()
    def do_GET(self):
        body = b"\\n".join(lines)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("0.0.0.0", 3100), Handler).serve_forever()
"""


def ported(port):
    """Return a published port with a free one of the host."""
    return "127.0.0.1::" + port.rpartition(":")[2]


def placed(volume):
    """Return a mount whose source no longer depends on where the file is."""
    return str(ROOT / volume) if volume.startswith("./") else volume


def packed(program, *files):
    """Return an image of a program of this host, with the libraries and files that it reads."""
    path = Path(shutil.which(program) or program).resolve()
    name = f"localhost/docwarden-stack-{path.name}:test"
    listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    libraries = {
        word for line in listed.splitlines() for word in line.split() if word.startswith("/")
    }
    archive = subprocess.run(
        ["tar", "--create", "--dereference", "--absolute-names", path, *sorted(libraries), *files],
        capture_output=True,
        check=True,
    )
    entry = f"--change=ENTRYPOINT {json.dumps([str(path)])}"
    command = ["podman", "import", "--quiet", entry, "-", name]
    subprocess.run(command, input=archive.stdout, check=True, capture_output=True)
    return name


def with_programs_of_this_host(services):
    """Put images that can be made here in the place of those that would be pulled."""
    del services["grafana"]
    services["prometheus"]["image"] = packed("prometheus")
    services["alertmanager"]["image"] = packed(
        "prometheus-alertmanager", "/usr/share/prometheus/alertmanager"
    )
    services["loki"] = {
        "image": IMAGE,
        "entrypoint": ["python", "-c", LISTENER],
        "ports": ["127.0.0.1::3100"],
        "healthcheck": {"disable": True},
    }
    if program := os.environ.get("OTELCOL"):
        services["collector"]["image"] = packed(program)
    else:
        del services["collector"]


class Stack:
    """The running stack."""

    def __init__(self, folder):
        self.project = own_name()
        self._file = folder / "compose.yaml"
        described = yaml.safe_load((ROOT / "compose.yaml").read_text())
        described["name"] = self.project
        for service in described["services"].values():
            service.pop("build", None)
            service["volumes"] = [placed(each) for each in service.get("volumes", ())]
            service["ports"] = [ported(each) for each in service.get("ports", ())]
        self._command = ["docker", "compose"] if WHOLE else [os.environ["PODMAN_COMPOSE"]]
        if not WHOLE:
            with_programs_of_this_host(described["services"])
        if WHOLE:
            described["services"]["loki"]["ports"] = ["127.0.0.1::3100"]
        self.services = set(described["services"])
        self._file.write_text(yaml.safe_dump(described))

    def compose(self, *arguments, limit=600):
        """Run the compose command and return its output."""
        done = subprocess.run(
            [*self._command, "-f", self._file, "-p", self.project, *arguments],
            env={**os.environ, "STACK_IMAGE": IMAGE},
            capture_output=True,
            text=True,
            check=False,
            timeout=limit,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def url(self, service, port):
        """Return where the host reaches a port of a service."""
        engine = "docker" if WHOLE else "podman"
        names = (f"{self.project}-{service}-1", f"{self.project}_{service}_1")
        for name in names:
            done = subprocess.run(
                [engine, "port", name, f"{port}/tcp"], capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                return f"http://{done.stdout.splitlines()[0]}"
        raise AssertionError(done.stderr)


@pytest.fixture(scope="session")
def stack(tmp_path_factory):
    stack = Stack(tmp_path_factory.mktemp("stack"))
    try:
        stack.compose("up", "--detach")
        ready = stack.url("gateway", 8081) + "/readyz"
        until(lambda: status_of(ready) == 200, limit=60, what="the gateway is ready")
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "1")


@pytest.fixture(scope="session")
def ask(stack):
    """Return the JSON at a path of a service."""

    def asked(service, port, path):
        try:
            with urllib.request.urlopen(stack.url(service, port) + path, timeout=5) as answer:
                return json.load(answer)
        except OSError:
            return None

    return asked
