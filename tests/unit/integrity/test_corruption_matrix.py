"""Every format against every kind of damage: which tier must catch it, or why none can.

A cell holds the highest tier that may be needed, or one of
    SEEN   an observing check reports it and the document passes: policy, or readers' tolerance
    LUCK   the format has no redundancy there; it may pass, and a decoder catches most of it
    SAME   the damage leaves this document as it is, or as valid as it was
"""

import random

import pytest

from docwarden.integrity.checks import Check, Mode
from docwarden.integrity.deep.decoders import load_decoder
from docwarden.integrity.formats.jpeg import JpegCheck
from docwarden.integrity.formats.pdf import PdfCheck
from docwarden.integrity.formats.png_checks import PngCheck
from docwarden.integrity.formats.tiff import TiffCheck
from docwarden.integrity.policy import Policy
from docwarden.integrity.registry import CHECKS
from docwarden.integrity.tiers import inspect_bytes

# Pillow warns of odd TIFF directories before it refuses them.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

SEEN, LUCK, SAME = "seen", "luck", "same"
SEEDS = range(6)
POLICY = Policy.parse(tier=4)


def _cut(low, high):
    return lambda data, rng: data[: max(1, int(len(data) * rng.uniform(low, high)))]


def _flip(low, high):
    def damage(data, rng):
        at = min(int(len(data) * rng.uniform(low, high)), len(data) - 1)
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]

    return damage


def _inside(data, rng):
    return int(len(data) * rng.uniform(0.1, 0.8))


def _zeroed(data, rng):
    at, length = _inside(data, rng), max(64, len(data) // 20)
    return data[:at] + bytes(length) + data[at + length :]


def _doubled(data, rng):
    at = _inside(data, rng)
    return data[: at + 500] + data[at : at + 500] + data[at + 500 :]


def _dropped(data, rng):
    at = _inside(data, rng)
    return data[:at] + data[at + rng.randrange(16, 512) :]


DAMAGES = {
    "cut early": _cut(0.02, 0.3),
    "cut in the middle": _cut(0.3, 0.7),
    "cut late": _cut(0.7, 0.99),
    "last byte gone": lambda data, _: data.rstrip(b"\n")[:-1],
    "tail gone": lambda data, rng: data[: -rng.randrange(8, 64)],
    "through UTF-8": lambda data, _: data.decode("utf-8", "replace").encode(),
    "Latin-1 to UTF-8": lambda data, _: data.decode("latin-1").encode(),
    "LF to CRLF": lambda data, _: data.replace(b"\n", b"\r\n"),
    "CR dropped": lambda data, _: data.replace(b"\r", b""),
    "seven bits": lambda data, _: bytes(byte & 127 for byte in data),
    "bit in the head": _flip(0.0, 0.02),
    "bit in the body": _flip(0.1, 0.9),
    "bit in the tail": _flip(0.98, 1.0),
    "block zeroed": _zeroed,
    "second half zeroed": lambda data, _: data[: len(data) // 2] + bytes(len(data) // 2),
    "halves swapped": lambda data, _: data[len(data) // 2 :] + data[: len(data) // 2],
    "block doubled": _doubled,
    "block dropped": _dropped,
    "junk appended": lambda data, rng: data + rng.randbytes(2_000),
    "junk prepended": lambda data, rng: b"\n" * rng.randrange(1, 900) + data,
    "HTML instead": lambda data, _: b"<!DOCTYPE html><html><p>Bad gateway" + data[:0],
    "zeros instead": lambda data, _: bytes(len(data)),
}

NAMES = (
    "pdf-table",
    "pdf-streams",
    "pdf-linearized",
    "pdf-updated",
    "png",
    "png-palette",
    "jpeg",
    "jpeg-progressive",
    "gif",
    "webp-lossy",
    "webp-lossless",
    "tiff-raw",
    "tiff-lzw",
)


def _row(usual, **unusual):
    """Fill a row: a format's name stands for all documents of it."""
    row = dict.fromkeys(NAMES, usual)
    for key, value in unusual.items():
        wanted = key.replace("_", "-")
        hits = [name for name in NAMES if name == wanted or name.split("-")[0] == wanted]
        row |= dict.fromkeys(hits, value)
    return row


EXPECTED = {
    # A JPEG's scan may end the file, so the decoder finds out where it does.
    "cut early": _row(2, jpeg=3),
    "cut in the middle": _row(2, jpeg=3),
    "cut late": _row(2, jpeg=3),
    # Of the closing mark alone; readers show the whole document.
    "last byte gone": _row(2, pdf=SEEN, jpeg=SEEN, gif=SEEN),
    "tail gone": _row(2, jpeg=3),
    "through UTF-8": _row(2),
    "Latin-1 to UTF-8": _row(2),
    # What grows inside a WebP's one chunk pushes its end out: trailing bytes to the container.
    "LF to CRLF": _row(3, webp_lossy=SEEN),
    # Flate streams without CR bytes stay as they are; a lossless WebP and a GIF notice mostly.
    "CR dropped": _row(3),
    # In place: offsets stay right, and only the checksums of the streams tell.
    "seven bits": _row(3, pdf=SEEN),
    "bit in the head": _row(LUCK, png=2),
    "bit in the body": _row(LUCK, png=2),
    "bit in the tail": _row(LUCK, png=2),
    # Nothing reads the hint stream of a linearized file.
    "block zeroed": _row(LUCK, pdf=SEEN, pdf_linearized=LUCK, png=2, gif=2, tiff_lzw=3),
    # VP8 is one arithmetic-coded stream without any check; zeros may be a VP8L's codes as well, as
    # they are in a photograph of twelve megapixels; raw pixels may have any value.
    "second half zeroed": _row(3, webp=LUCK, tiff_raw=LUCK),
    "halves swapped": _row(1),
    "block doubled": _row(3, gif=LUCK, webp=SEEN, tiff_raw=LUCK),
    "block dropped": _row(2, jpeg=LUCK),
    # A TIFF has no end of its own.
    "junk appended": _row(SEEN, tiff=SAME),
    "junk prepended": _row(1, pdf=SEEN),
    "HTML instead": _row(1),
    "zeros instead": _row(1),
}


def _judge(data):
    """Return the tier of the first enforced finding, SEEN, or SAME for none."""
    media_type, findings = inspect_bytes(data, POLICY)
    if media_type is not None and not any(_enforced(finding) for finding in findings):
        failures = load_decoder(media_type)(data, POLICY.tier)
        checks = [reason.check for reason, _ in failures]
    else:
        checks = []
    checks = [finding.check for finding in findings] + checks
    enforced = [check.tier for check in checks if POLICY.modes[check] is Mode.ENFORCE]
    return enforced[0] if enforced else SEEN if checks else SAME


def _enforced(finding):
    return POLICY.modes[finding.check] is Mode.ENFORCE


def test_the_matrix_has_a_cell_for_every_pair():
    assert EXPECTED.keys() == DAMAGES.keys()
    assert all(set(row) == set(NAMES) for row in EXPECTED.values())


@pytest.mark.parametrize("name", NAMES)
def test_undamaged_documents_pass_without_any_finding(documents, name):
    assert _judge(documents[name]) == SAME


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_caught_by_the_tier_that_must_catch_it(documents, name, damage):
    expected = EXPECTED[damage][name]
    for seed in SEEDS:
        damaged = DAMAGES[damage](documents[name], random.Random(seed))
        if damaged == documents[name]:
            continue
        outcome = _judge(damaged)
        if isinstance(expected, int):
            assert isinstance(outcome, int), (seed, outcome)
            assert outcome <= expected, (seed, outcome)
        elif expected == SEEN:
            assert outcome != SAME, seed
        elif expected == SAME:
            assert outcome == SAME, seed


def test_a_cell_of_luck_is_one_that_does_pass_sometimes(documents):
    """A cell that always fails should say so: then a regression in it shows."""
    for damage, row in EXPECTED.items():
        lucky = [name for name, expected in row.items() if expected == LUCK]
        outcomes = {
            _judge(DAMAGES[damage](documents[name], random.Random(seed)))
            for name in lucky
            for seed in SEEDS
        }
        assert not lucky or outcomes & {SAME, SEEN}, damage


@pytest.mark.parametrize("name", NAMES)
def test_wrong_signature_is_never_taken_for_the_other_type(documents, name):
    others = {"png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff\xe0", "gif": b"GIF89a"}
    for kind, signature in others.items():
        if not name.startswith(kind):
            outcome = _judge(signature + documents[name][len(signature) :])
            assert isinstance(outcome, int), kind


def test_the_observing_checks_are_those_that_the_matrix_relies_on():
    observing = {check for check in CHECKS if check.default_mode is Mode.OBSERVE}
    assert observing == {
        *(Check.LEADING_BYTES, Check.CLOSING_MARK, Check.TRAILING_BYTES, Check.DECODER),
        *(PdfCheck.STARTXREF, PdfCheck.ENTRIES, PdfCheck.STREAM_LENGTH, PdfCheck.STREAMS),
        *(JpegCheck.EXTRA_BYTES, JpegCheck.SCAN_PARAMETERS, PngCheck.SURPLUS),
        *(TiffCheck.DIRECTORY, TiffCheck.FAX_LINES),
    }
