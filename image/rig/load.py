"""Clients that fetch documents, keep their connections, and forgive nothing."""

import http.client
import threading
import zlib
from collections import Counter
from urllib.parse import urlsplit


def get(url, *, timeout=15):
    """Return status, headers and body of one request."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def status_of(url):
    """Return the status of a request, 0 where nobody answers."""
    try:
        return get(url, timeout=3)[0]
    except OSError:
        return 0


def damage(media_type, body):
    """Return what is wrong with a document of the simulator, judged without the gateway's code."""
    if media_type == "application/pdf":
        whole = body.startswith(b"%PDF-") and body.rstrip().endswith(b"%%EOF")
        return "" if whole and b"\xef\xbf\xbd" not in body else "a damaged PDF"
    if media_type == "image/png":
        return _damage_of_png(body)
    return f"an unexpected type, {media_type}"


def _damage_of_png(body):
    at = 8
    while at + 12 <= len(body):
        end = at + 12 + int.from_bytes(body[at : at + 4], "big")
        if zlib.crc32(body[at + 4 : end - 4]) != int.from_bytes(body[end - 4 : end], "big"):
            return "a PNG chunk with a wrong checksum"
        if body[at + 4 : at + 8] == b"IEND":
            return "" if end == len(body) else "bytes after the PNG"
        at = end
    return "a PNG that is cut off"


class Load:
    """So many clients at once, from entering the context to leaving it.

    A client opens a new connection where the server asks for it with `Connection: close`, and never
    sends a request twice. Whatever is not an intact document is a failure.
    """

    def __init__(self, url, *, clients=8, first_id=1):
        self.statuses = Counter()
        self.failures = []
        self._url = urlsplit(url)
        self._ids = iter(range(first_id, 1 << 60))
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Let each client finish its request; then nothing is sent any more."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    @property
    def answered(self):
        """How many documents arrived."""
        return self.statuses[200]

    def _work(self):
        connection = http.client.HTTPConnection(self._url.hostname, self._url.port, timeout=15)
        while not self._ended.is_set():
            with self._lock:
                number = next(self._ids)
            try:
                connection.request("GET", f"/{number}")
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                self._note(0, f"/{number}: {error!r}")
                continue
            wrong = damage(answer.headers["Content-Type"], body) if answer.status == 200 else body
            self._note(answer.status, f"/{number}: {answer.status} {wrong!r}" if wrong else "")
        connection.close()

    def _note(self, status, failure):
        with self._lock:
            self.statuses[status] += 1
            if failure:
                self.failures.append(failure)
