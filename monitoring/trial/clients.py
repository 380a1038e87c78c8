"""Clients that ask for documents."""

import contextlib
import http.client
import threading
import urllib.parse
from collections.abc import Iterator


class Clients:
    """Ask for documents from a few threads, each its share of `rate` requests a second."""

    def __init__(self, url: str, *, threads: int, rate: float) -> None:
        self._address = urllib.parse.urlsplit(url)
        self._pause = threads / rate if rate else 0.0
        self._stop = threading.Event()
        self.answers: dict[int, int] = {}
        self._threads = [
            threading.Thread(target=self._run, args=(number,), daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        connection = http.client.HTTPConnection(
            self._address.hostname or "", self._address.port, timeout=20
        )
        while not self._stop.wait(self._pause):
            number += len(self._threads)
            try:
                connection.request("GET", f"/{number}")
                answer = connection.getresponse()
                answer.read()
                self.answers[answer.status] = self.answers.get(answer.status, 0) + 1
            except (OSError, http.client.HTTPException):
                connection.close()
        connection.close()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)


@contextlib.contextmanager
def running_clients(url: str, *, threads: int, rate: float) -> Iterator[Clients]:
    """Have clients ask until the block ends."""
    clients = Clients(url, threads=threads, rate=rate)
    try:
        yield clients
    finally:
        clients.stop()
