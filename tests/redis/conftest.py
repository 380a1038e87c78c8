"""A real redis-server for each test."""

import signal
import socket
import subprocess
import time

import pytest

import redis

PASSWORD = "correct-horse"


class Server:
    """One redis-server on a free port, that can be stopped, killed and started again."""

    def __init__(self, folder, *arguments):
        self.folder = folder
        self.arguments = arguments
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self):
        self.process = subprocess.Popen(
            [
                *("redis-server", "--bind", "127.0.0.1", "--dir", self.folder, "--save", ""),
                *("--requirepass", PASSWORD),
                *(argument.format(port=self.port) for argument in self.arguments),
            ],
            stdout=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < deadline, "redis-server does not listen"
                assert self.process.poll() is None, "redis-server ended"
                time.sleep(0.01)
            else:
                return

    def kill(self):
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def client(self):
        return redis.Redis(port=self.port, password=PASSWORD, socket_timeout=5)


@pytest.fixture
def server(tmp_path):
    started = Server(str(tmp_path), "--port", "{port}")
    started.start()
    yield started
    started.kill()


@pytest.fixture
def server_class():
    return Server
