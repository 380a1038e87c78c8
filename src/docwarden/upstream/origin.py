"""The address of the upstream, and the bytes of a request to it."""

import ssl
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """The upstream as configured; only digits are ever inserted into its path.

    Attributes:
        host: name or address to connect to.
        port: its port.
        tls: the context for https, or None.
        per_document: whether the path holds the document id.
        before: the request up to the document id.
        after: the request from after the document id to its last fixed header.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None
    per_document: bool
    before: bytes
    after: bytes

    @classmethod
    def parse(cls, url: str, *, agent: str) -> Self:
        """Return the origin for an http or https URL in which `{id}` may stand once or not at all.

        Raises:
            ValueError: when the URL has no host.
        """
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError(f"no host in {url!r}")
        path, placeholder, rest = (parts.path or "/").partition("{id}")
        fixed = (
            f"{rest} HTTP/1.1\r\nHost: {parts.netloc}\r\nUser-Agent: {agent}\r\n"
            "Accept: application/pdf, image/*\r\nAccept-Encoding: identity\r\n"
        )
        return cls(
            host=parts.hostname,
            port=parts.port or _PORTS[parts.scheme],
            tls=ssl.create_default_context() if parts.scheme == "https" else None,
            per_document=bool(placeholder),
            before=f"GET {path}".encode("ascii"),
            after=fixed.encode("ascii"),
        )

    def request(self, document_id: str, fields: bytes, timeout: float | None) -> bytes:
        """Return the bytes of a request for a document.

        Args:
            document_id: decimal digits; not sent where the URL has no `{id}`.
            fields: additional header lines.
            timeout: seconds that are left for the answer; sent to the upstream unless None.
        """
        path_id = document_id.encode("ascii") if self.per_document else b""
        if timeout is None:
            return b"%b%b%b%b\r\n" % (self.before, path_id, self.after, fields)
        milliseconds = int(1000 * timeout)
        return b"%b%b%b%bX-Request-Timeout-Ms: %d\r\n\r\n" % (
            self.before, path_id, self.after, fields, milliseconds,
        )  # fmt: skip
