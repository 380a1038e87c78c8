"""The record of a format: everything that docwarden knows about it, declared in one place."""

import importlib.util
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from docwarden.integrity.checks import Check, CheckSet
from docwarden.integrity.reasons import ReasonSet
from docwarden.integrity.verdict import Data, Finding

Walked = tuple[int, tuple[Finding, ...]]
"""Where the document ends, and findings that are no damage."""

Failures = list[tuple[ReasonSet, str]]
"""What a decoder returns."""


class Source(Protocol):
    """A stream that a document is read from, once and in order."""

    def read(self, size: int, /) -> bytes:
        """Return the next `size` bytes, fewer only at the end."""
        ...


_NAME: Final = re.compile("[A-Z][A-Z0-9]*")
_MEDIA_TYPE: Final = re.compile("(application|image|text|audio|video)/[a-z0-9][a-z0-9.+-]*")
_EXTENSION: Final = re.compile("[a-z0-9]{1,8}")
_DECODER: Final = re.compile(r"(\w+(?:\.\w+)+):(\w+)")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Format:
    """A format that docwarden delivers.

    Attributes:
        name: What people call it, such as `PNG`.
        media_type: What a delivered document's `Content-Type` says.
        extension: Of a file name, without the dot.
        signature: How its documents begin; a regular expression.
        leading: How many bytes may stand before the signature.
        mangled: How its documents begin after a transfer as text, where that differs from the
            signature; a regular expression.
        end_mark: The closing mark, None for a format that has none.
        end_needs_decoder: Whether only tier 3 can prove that a document without its closing mark is
            complete. Below it, such a document counts as truncated.
        open_ended: Whether bytes after the end prove nothing, since the format has no end.
        walk: Tier 2. Returns `Walked`, or raises `BrokenError`. Ends within a bound of its own.
        decoder: Tiers 3 and 4: `module:function`, imported in the deep checker's process only,
            so that no library is loaded into the gateway.
        decode_check: The check that the decoder's failures of tier 3 belong to.
        streams: Whether the decoder reads a `Source`, so that the document need not be held whole.
        decode_cost: Estimates the seconds of CPU time that the decoder takes; only affects the
            order of documents.
        decode_memory: Estimates the bytes that the decoder's process takes for the document; only
            affects which are decoded at the same time.
        decode_small: Returns what the decoder would for a document and a tier, if that takes a
            fraction of a millisecond and only libraries that the gateway has; None for any other
            document.
        checks: The checks that only this format has.
        reasons: The reasons that only this format has.

    Raises:
        ValueError: Something is missing or malformed; the message says what. With an incomplete
            record, documents would go unchecked.
    """

    name: str
    media_type: str
    extension: str
    signature: bytes
    walk: Callable[[Data], Walked]
    decoder: str
    end_mark: bytes | None
    leading: int = 0
    mangled: bytes = b""
    end_needs_decoder: bool = False
    open_ended: bool = False
    streams: bool = False
    decode_cost: Callable[[Data], float] = lambda data: 0.0003 + len(data) * 50e-9  # 20 MB/s
    decode_memory: Callable[[Data], int] = lambda data: 3 * len(data)
    decode_small: Callable[[Data, int], Failures | None] = lambda _data, _tier: None
    decode_check: CheckSet = Check.IMAGE_DECODE
    checks: type[CheckSet] | None = None
    reasons: type[ReasonSet] | None = None
    header: re.Pattern[bytes] = field(init=False)

    def __post_init__(self) -> None:
        """Refuse an incomplete record."""
        for pattern, value, what in (
            (_NAME, self.name, "name"),
            (_MEDIA_TYPE, self.media_type, "media type"),
            (_EXTENSION, self.extension, "extension"),
            (_DECODER, self.decoder, "decoder"),
        ):
            if not pattern.fullmatch(value):
                raise ValueError(f"the format {self.name!r} has no usable {what}: {value!r}")
        object.__setattr__(self, "header", self._compiled())
        if not callable(self.walk):
            raise ValueError(f"the format {self.name!r} has no walk")  # noqa: TRY004 - as above
        if self.end_mark is None and not self.open_ended and self.leading:
            raise ValueError(f"the format {self.name!r} has neither a fixed start nor an end")
        module = self.decoder.partition(":")[0]
        try:
            found = importlib.util.find_spec(module)
        except ModuleNotFoundError:
            found = None
        if found is None:
            raise ValueError(f"the format {self.name!r} has no decoder: no module {module}")

    def _compiled(self) -> re.Pattern[bytes]:
        try:
            header = re.compile(self.signature, re.DOTALL)
            re.compile(self.mangled)
        except re.error as error:
            raise ValueError(f"the format {self.name!r} has no usable signature: {error}") from None
        if header.match(b"") or header.groups:
            raise ValueError(f"the signature of {self.name!r} matches nothing, or has groups")
        return header

    def starts_at(self, data: Data) -> int:
        """Return where the header begins, or -1."""
        if self.header.match(data):
            return 0
        found = self.header.search(data, 0, self.leading + 16) if self.leading else None
        return -1 if found is None or found.start() > self.leading else found.start()
