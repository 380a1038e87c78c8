"""What passes between the deep checker and its process.

Every message is a four-byte big-endian length and that many bytes. A job is the number of its
media type, the top tier, and the document. The answers to one job are, in this order: LOADING and
LOADED when a library had to be loaded first, then either OUT_OF_MEMORY or a JSON list of
`[reason, detail]` pairs. READY comes once, before all jobs.
"""

import json
from collections.abc import Iterable
from struct import Struct
from types import MappingProxyType
from typing import BinaryIO, Final

from docwarden.integrity.reasons import ReasonSet
from docwarden.integrity.registry import FORMATS, REASONS
from docwarden.integrity.verdict import Data, Finding

READY: Final = b"ready"
LOADING: Final = b"loading"
LOADED: Final = b"loaded"
OUT_OF_MEMORY: Final = b"memory"

LENGTH: Final = Struct(">I")
MAX_ANSWER: Final = 65_536
MAX_DETAIL: Final = 300
MAX_FAILURES: Final = 16
"""One finding a kind of damage tells enough."""

_TYPES: Final = tuple(each.media_type for each in FORMATS)
_REASONS: Final = MappingProxyType({reason.value: reason for reason in REASONS})


def encode_job(data: Data, media_type: str, tier: int) -> tuple[bytes, Data]:
    """Return head and body of the message, apart so that the document is not copied."""
    head = bytes((_TYPES.index(media_type), tier))
    return LENGTH.pack(len(head) + len(data)) + head, data


def decode_job(message: bytes) -> tuple[str, int, bytes]:
    """Return media type, top tier and document."""
    return _TYPES[message[0]], message[1], message[2:]


def encode_answer(failures: Iterable[tuple[ReasonSet, str]]) -> bytes:
    """Return the message that lists `failures`."""
    listed = [(reason.value, _clean(detail)) for reason, detail in failures]
    return json.dumps(listed[:MAX_FAILURES]).encode()


def decode_answer(message: bytes) -> tuple[Finding, ...]:
    """Return the findings of an answer.

    Raises:
        ValueError: It is not an answer. A process that a document took over may say anything.
    """
    listed = json.loads(message)
    if not isinstance(listed, list):
        raise ValueError("an answer is a list")  # noqa: TRY004 - one error for all wrong answers
    findings = []
    for item in listed[:MAX_FAILURES]:
        if not (
            isinstance(item, list)
            and len(item) == 2
            and isinstance(item[0], str)
            and item[0] in _REASONS
            and isinstance(item[1], str)
        ):
            raise ValueError("an answer holds pairs of reason and detail")
        findings.append(Finding.of(_REASONS[item[0]], _clean(item[1])))
    return tuple(findings)


def read(source: BinaryIO) -> bytes | None:
    """Return the next message, or None at the end of `source`."""
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    message = source.read(length)
    return message if len(message) == length else None


def write(target: BinaryIO, message: bytes) -> None:
    """Send `message` at once."""
    target.write(LENGTH.pack(len(message)) + message)
    target.flush()


def _clean(detail: str) -> str:
    """Keep a parser's words on one line, printable and short: they end in logs."""
    words = "".join(c if c.isascii() and c.isprintable() else " " for c in detail[: 4 * MAX_DETAIL])
    return " ".join(words.split())[:MAX_DETAIL]
