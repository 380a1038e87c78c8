"""HAProxy before the gateways, configured as one would configure it in earnest."""

import socket
import subprocess
from contextlib import suppress
from urllib.parse import urlsplit

from containers import until

CONFIGURATION = """\
global
    stats socket {admin} level admin
defaults
    mode http
    timeout connect 1s
    timeout client 15s
    timeout server 15s
    retries 3
    option redispatch
    option httpchk GET /readyz
    default-server check inter 250ms fall 2 rise 1 init-addr none
frontend clients
    bind fd@{listener}
    default_backend gateways
backend gateways
    balance roundrobin
    server-template slot 4 127.0.0.1:1 disabled
"""


class Balancer:
    """A running HAProxy with four places for gateways."""

    def __init__(self, folder):
        self._admin = folder / "admin.sock"
        with socket.create_server(("127.0.0.1", 0)) as listener:
            host, port = listener.getsockname()
            self.url = f"http://{host}:{port}"
            configuration = folder / "haproxy.cfg"
            configuration.write_text(
                CONFIGURATION.format(admin=self._admin, listener=listener.fileno())
            )
            self._process = subprocess.Popen(
                ["haproxy", "-db", "-q", "-f", configuration], pass_fds=[listener.fileno()]
            )
        until(lambda: self._command("show info"), limit=10, what="HAProxy")

    def add(self, slot, gateway):
        """Put a gateway into a place, and wait until it gets requests."""
        public, admin = (urlsplit(gateway.url(port)) for port in (8080, 8081))
        server = f"gateways/slot{slot}"
        self._command(f"set server {server} addr 127.0.0.1 port {public.port}")
        self._command(f"set server {server} check-port {admin.port}")
        self._command(f"set server {server} state ready")
        until(lambda: self._state(slot) == "UP", limit=30, what=f"{server} is up")

    def _state(self, slot):
        for line in self._command("show stat").splitlines():
            fields = line.split(",")
            if fields[:2] == ["gateways", f"slot{slot}"]:
                return fields[17]
        return ""

    def _command(self, command):
        with (
            suppress(FileNotFoundError, ConnectionRefusedError),
            socket.socket(socket.AF_UNIX) as connection,
        ):
            connection.connect(str(self._admin))
            connection.sendall(f"{command}\n".encode())
            return b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        return ""

    def close(self):
        """End it."""
        self._process.terminate()
        self._process.wait(10)
