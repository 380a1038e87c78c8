import struct

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from docwarden.fetching.store.entry import OVERHEAD, Copy, WrongCopyError, decode, encode

COPY = Copy(b"%PDF-1.7 some bytes", "application/pdf", '"0123abcd"', 1_790_000_000.25)


def forge(media_type=b"image/png", etag=b'"x"', body=b"body", body_size=None):
    """Return what someone who knows the form can write: the digest holds."""
    size = len(body) if body_size is None else body_size
    rest = struct.pack(">dBBI", 0.0, len(media_type), len(etag), size) + media_type + etag + body
    return b"DWC\x01" + xxhash.xxh3_128(b"7\0" + rest).digest() + rest


@given(
    document_id=st.integers(min_value=0, max_value=10**19 - 1).map(str),
    body=st.binary(max_size=2000),
    media_type=st.sampled_from(["image/png", "application/pdf", "image/svg+xml"]),
    etag=st.from_regex(r'"[\x21\x23-\x7e]{0,60}"', fullmatch=True),
    stored_at=st.floats(min_value=0, max_value=4e9),
)
def test_copy_comes_back_as_it_was(document_id, body, media_type, etag, stored_at):
    copy = Copy(body, media_type, etag, stored_at)
    data = encode(document_id, copy)
    assert decode(document_id, data) == copy
    assert len(data) <= len(body) + OVERHEAD


@pytest.mark.parametrize("answer", [5, True, "text", [b"DWC"], {}, 1.5])
def test_answer_of_a_wrong_type_is_no_copy(answer):
    with pytest.raises(WrongCopyError):
        decode("7", answer)


def test_copy_with_any_single_bit_flipped_is_refused():
    data = encode("7", COPY)
    for position in range(len(data) * 8):
        broken = bytearray(data)
        broken[position // 8] ^= 1 << position % 8
        with pytest.raises(WrongCopyError):
            decode("7", bytes(broken))


def test_copy_cut_anywhere_is_refused():
    data = encode("7", COPY)
    for size in range(len(data)):
        with pytest.raises(WrongCopyError):
            decode("7", data[:size])


def test_copy_with_something_behind_it_is_refused():
    with pytest.raises(WrongCopyError):
        decode("7", encode("7", COPY) + b"\0")


@pytest.mark.parametrize("other", ["8", "77", "", "7\0"])
def test_copy_of_another_document_is_refused(other):
    with pytest.raises(WrongCopyError):
        decode("7", encode(other, COPY))


def test_copy_of_another_version_is_refused():
    data = encode("7", COPY)
    with pytest.raises(WrongCopyError, match="version"):
        decode("7", b"DWC\x02" + data[4:])


def test_forged_copy_is_read_where_all_its_parts_are_right():
    assert decode("7", forge()) == Copy(b"body", "image/png", '"x"', 0.0)


@pytest.mark.parametrize(
    "parts",
    [
        {"media_type": b"image/png\r\nSet-Cookie: a=b"},
        {"media_type": b"image/png\n"},
        {"media_type": b"text/html;charset=utf-8"},
        {"media_type": b""},
        {"etag": b'"x"\r\nSet-Cookie: a=b'},
        {"etag": b'"x\ny"'},
        {"etag": b"x"},
        {"etag": b'W/"x"'},
        {"etag": b'"\xff"'},
        {"body_size": 3},
        {"body_size": 5},
        {"body_size": 2**32 - 1},
    ],
)
def test_forged_copy_is_refused_where_a_part_is_wrong_though_its_digest_holds(parts):
    with pytest.raises(WrongCopyError):
        decode("7", forge(**parts))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused_and_break_nothing(data):
    with pytest.raises(WrongCopyError):
        decode("7", b"DWC\x01" + data)
