"""The protocol between the gateway, the fork server and the workers of the deep checks.

Jobs and answers go over a stream socket, one for each worker:

    job     bytes of the document (u32), number of its media type (u8), top tier (u8), document
    answer  bytes of the findings (u32), CPU seconds used (f32), findings

Answers come in the order of the jobs. Findings are a JSON list of `[reason, detail]` pairs, nothing
at all where there are none, or OUT_OF_MEMORY. The fork server takes orders and reports in packets
of `CONTROL`: what, the number of a worker, a process id or status.
"""

import json
from collections.abc import Iterable
from struct import Struct
from types import MappingProxyType
from typing import Final

from docwarden.integrity.reasons import ReasonSet
from docwarden.integrity.registry import FORMATS, REASONS
from docwarden.integrity.verdict import Data, Finding

JOB: Final = Struct(">IBB")
ANSWER: Final = Struct(">If")
CONTROL: Final = Struct(">BIi")

READY, LOADED, FORK, STARTED, KILL, ENDED = range(6)
"""The fork server runs; has loaded the libraries; is to start a worker on the attached socket; has
done so (process id); is to kill one; a worker ended (its exit status)."""

OUT_OF_MEMORY: Final = b"memory"
MAX_ANSWER: Final = 65_536
MAX_DETAIL: Final = 300
MAX_FAILURES: Final = 16
"""One finding per kind of damage is enough."""

_TYPES: Final = tuple(each.media_type for each in FORMATS)
_NUMBERS: Final = MappingProxyType({each: number for number, each in enumerate(_TYPES)})
_REASONS: Final = MappingProxyType({reason.value: reason for reason in REASONS})


def encode_job(data: Data, media_type: str, tier: int) -> bytes:
    """Return the head of a job; the document follows it."""
    return JOB.pack(len(data), _NUMBERS[media_type], tier)


def decode_job(head: bytes) -> tuple[int, str, int]:
    """Return the bytes of the document, its media type and the top tier."""
    length, number, tier = JOB.unpack(head)
    return length, _TYPES[number], tier


def encode_answer(failures: Iterable[tuple[ReasonSet, str]], seconds: float) -> bytes:
    """Return the answer that lists `failures`, found in `seconds` of CPU time."""
    listed = [(reason.value, _clean(detail)) for reason, detail in failures]
    return frame(json.dumps(listed[:MAX_FAILURES]).encode() if listed else b"", seconds)


def frame(findings: bytes, seconds: float) -> bytes:
    """Return an answer of encoded findings."""
    return ANSWER.pack(len(findings), seconds) + findings


def decode_findings(message: bytes) -> tuple[Finding, ...]:
    """Return the findings of an answer.

    Raises:
        ValueError: It is not a valid answer. A process that a document took over may send anything.
        RecursionError: As above.
    """
    if not message:
        return ()
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


def _clean(detail: str) -> str:
    """Make a parser's message one printable, short line, fit for logs."""
    words = "".join(c if c.isascii() and c.isprintable() else " " for c in detail[: 4 * MAX_DETAIL])
    return " ".join(words.split())[:MAX_DETAIL]
