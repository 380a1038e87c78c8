"""Fuzz tiers 1 and 2, and what decoders ask of the walks, for a bounded time, guided by coverage.

    python tests/fuzz/fuzz_walkers.py --seconds 60

Every input must get an answer, without an exception, within `LIMIT_SECONDS`. An input that does
not is written to `.cache/fuzz/`, and the exit status is 1. Coverage is of lines in the integrity
package: an input that reaches a new line joins the pool that is mutated further.
"""

import argparse
import io
import random
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pikepdf
from PIL import Image

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.deep.decode_pdf import decode_pdf
from docwarden.integrity.deep.mend_pdf import mend
from docwarden.integrity.formats.gif import frames_of
from docwarden.integrity.formats.jpeg import Picture
from docwarden.integrity.formats.pdf import find_ending
from docwarden.integrity.formats.pdf_plain import decode_small_pdf
from docwarden.integrity.formats.tiff import pages_of
from docwarden.integrity.policy import Policy
from docwarden.integrity.registry import MEDIA_TYPES
from docwarden.integrity.tiers import inspect_bytes

LIMIT_SECONDS = 2.0
MAX_BYTES = 1 << 20
CRASHES = Path(".cache/fuzz")
WORDS = (
    b"%PDF-1.7\n",
    b"startxref\n9\n%%EOF",
    b"/Prev 9",
    b"/XRefStm 9",
    b"xref\n0 1\n",
    b"trailer<</Root 1 0 R>>",
    b"1 0 obj<</Type/XRef>>stream",
    b"\0\0\0\0IEND\xaeB`\x82",
    b"IDAT",
    b"PLTE",
    b"\xff\xd8\xff",
    b"\xff\xda",
    b"\xff\xc2\0\x0b\x08\0\0\0\1\1\1\x11\0",
    b"\xff\xdc\0\4\0\1",
    b"\xff\xc4\0\x14\0" + bytes(15) + b"\1\0",
    b"\xff\xdb\0\x43\0" + bytes(64),
    b"\xff\xdd\0\4\0\1",
    b"\xff\xda\0\x08\1\1\0\0\x3f\0",
    b"startxref\n9\n%",
    b"!\xff\x0bNETSCAPE2.0\3\1\0\0\0",
    b"\xff\xd9",
    b"ftyp",
    b"!\xf9\4",
    b"ANMF",
    b"VP8X",
    b"II*\0\x08\0\0\0",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
)


def agree(data: bytes) -> bool:
    """Return False where a PDF is proven whole that the strict parser takes offence at."""
    return decode_small_pdf(data, 3) is None or not decode_pdf(data, 3)


CLOSER: Mapping[str, Callable[[bytes], object]] = {
    "application/pdf": lambda data: (find_ending(data), mend(data)),
    "image/jpeg": lambda data: Picture(data).walk(),
    "image/gif": frames_of,
    "image/tiff": pages_of,
}


def seeds() -> list[bytes]:
    """Return small valid documents of every type."""
    image = Image.linear_gradient("L").resize((24, 24))
    documents = []
    for kind, options in (
        ("PNG", {}),
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("GIF", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"big_tiff": True}),
    ):
        target = io.BytesIO()
        image.save(target, kind, **options)
        documents.append(target.getvalue())
    for mode in (pikepdf.ObjectStreamMode.disable, pikepdf.ObjectStreamMode.generate):
        pdf, target = pikepdf.new(), io.BytesIO()
        pdf.add_blank_page()
        pdf.save(target, object_stream_mode=mode)
        documents.append(target.getvalue())
    return documents


def mutate(document: bytes, other: bytes, rng: random.Random) -> bytes:
    """Return `document` after a few random edits."""
    data = bytearray(document)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0 if data:
                data[at % len(data)] = rng.randrange(256)
            case 1:
                data[at:at] = rng.choice(WORDS)
            case 2:
                del data[at : at + rng.randrange(1, 40)]
            case 3:
                data[at:at] = data[at : at + rng.randrange(1, 400)]
            case 4:
                cut = rng.randrange(len(other) + 1)
                data[at:] = other[cut:]
            case _:
                data[at : at + 4] = rng.randbytes(4)
    return bytes(data[:MAX_BYTES])


class Coverage:
    """Remembers which lines of the integrity package have run."""

    def __init__(self) -> None:
        self.lines: set[tuple[str, int]] = set()

    def trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        """Be the trace function of the interpreter."""
        if "/integrity/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            self.lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self.trace


def look_closer(data: bytes, media_type: str | None) -> None:
    """Walk as the decoders do. Raises whatever is no answer."""
    walk = CLOSER.get(media_type or "")
    if walk is not None:
        with suppress(BrokenError):
            walk(data)


def judge(data: bytes, policy: Policy) -> str | None:
    """Return what is wrong with the answer to `data`, or None."""
    began = time.perf_counter()
    try:
        media_type, findings = inspect_bytes(data, policy)
        look_closer(data, media_type)
    except Exception as error:  # noqa: BLE001 - any exception is the discovery
        return repr(error)
    if media_type == "application/pdf" and not agree(data):
        return "proven whole, and refused by the strict parser"
    if time.perf_counter() - began > LIMIT_SECONDS:
        return "took too long"
    if media_type is None and not findings:
        return "no type and no finding"
    if media_type is not None and media_type not in MEDIA_TYPES:
        return "no such type"
    return None


def main() -> int:
    """Fuzz. Returns the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if arguments.seed is None else arguments.seed
    rng = random.Random(seed)
    pool, policy, coverage = seeds(), Policy.parse(tier=4), Coverage()
    runs, failures, end = 0, 0, time.monotonic() + arguments.seconds
    while time.monotonic() < end:
        data = mutate(rng.choice(pool), rng.choice(pool), rng)
        before = len(coverage.lines)
        sys.settrace(coverage.trace)
        try:
            wrong = judge(data, policy)
        finally:
            sys.settrace(None)
        runs += 1
        if wrong is not None:
            failures += 1
            CRASHES.mkdir(parents=True, exist_ok=True)
            (CRASHES / f"{seed}-{runs}").write_bytes(data)
            sys.stderr.write(f"{CRASHES / f'{seed}-{runs}'}: {wrong}\n")
        elif len(coverage.lines) > before:
            pool.append(data)
    lines = len(coverage.lines)
    sys.stdout.write(f"seed {seed}: {runs} inputs, {lines} lines reached, {failures} failures\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
