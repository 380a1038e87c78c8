"""A verified copy, and its form outside the process.

    offset  size
    0       4     magic "DWC" and the version of this form, 1
    4       16    xxh3-128, big-endian, of the document's id, a zero byte, and all that follows
    20      8     time stored, seconds since the epoch, float
    28      1     length of the media type
    29      1     length of the entity tag
    30      4     length of the body
    34            media type, entity tag, body

Bytes from outside are not trusted: lengths must fit exactly, the text parts must be well-formed,
and the digest must match. It binds the copy to its document, so one that landed under another's
key, or the answer to another query, is refused too. xxh3-128 and not SHA-256, at a thirtieth of its
cost: both catch every accident, and neither stops a writer of the store, who can compute either:
use Redis' own access control for that.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Final

import xxhash

VERSION: Final = 1
MAGIC: Final = b"DWC" + bytes((VERSION,))
DIGEST_SIZE: Final = 16

_FIELDS: Final = struct.Struct(">dBBI")
_DIGESTED_FROM: Final = len(MAGIC) + DIGEST_SIZE

OVERHEAD: Final = _DIGESTED_FROM + _FIELDS.size + 2 * 255
"""Bytes that the encoded form may be longer than the body."""

_MEDIA_TYPE: Final = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]*", re.ASCII)
_ENTITY_TAG: Final = re.compile(r'"[\x21\x23-\x7e]*"', re.ASCII)


class WrongCopyError(ValueError):
    """Bytes that are not an intact copy of the document that was asked for."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A verified document as it was delivered.

    Attributes:
        body: Its bytes.
        media_type: What the bytes are, such as `image/png`.
        etag: Strong entity tag, quotes included (RFC 9110 section 8.8.3).
        stored_at: When it was verified, seconds since the epoch.
    """

    body: bytes
    media_type: str
    etag: str
    stored_at: float


def encode(document_id: str, copy: Copy) -> bytes:
    """Return the copy's form outside the process."""
    media_type = copy.media_type.encode("ascii")
    etag = copy.etag.encode("ascii")
    fields = _FIELDS.pack(copy.stored_at, len(media_type), len(etag), len(copy.body))
    rest = b"".join((fields, media_type, etag, copy.body))
    return b"".join((MAGIC, _digest(document_id, rest), rest))


def decode(document_id: str, data: object) -> Copy:
    """Return the copy encoded in `data`, which may be anything that a store answers.

    Raises:
        WrongCopyError: `data` is not an intact copy of `document_id`.
    """
    if not isinstance(data, bytes) or data[: len(MAGIC)] != MAGIC:
        raise WrongCopyError("not a copy of this version")
    if len(data) < _DIGESTED_FROM + _FIELDS.size:
        raise WrongCopyError("truncated")
    rest = memoryview(data)[_DIGESTED_FROM:]
    if _digest(document_id, rest) != data[len(MAGIC) : _DIGESTED_FROM]:
        raise WrongCopyError("the digest does not match")
    stored_at, type_size, etag_size, body_size = _FIELDS.unpack_from(rest)
    etag_from = _FIELDS.size + type_size
    body_from = etag_from + etag_size
    if len(rest) != body_from + body_size:
        raise WrongCopyError("the lengths do not fit")
    media_type = bytes(rest[_FIELDS.size : etag_from]).decode("latin-1")
    etag = bytes(rest[etag_from:body_from]).decode("latin-1")
    # These two become header fields: nothing else may get through.
    if not _MEDIA_TYPE.fullmatch(media_type) or not _ENTITY_TAG.fullmatch(etag):
        raise WrongCopyError("not a media type or not an entity tag")
    return Copy(bytes(rest[body_from:]), media_type, etag, stored_at)


def _digest(document_id: str, rest: bytes | memoryview) -> bytes:
    digest = xxhash.xxh3_128(document_id.encode())
    digest.update(b"\0")
    digest.update(rest)
    return digest.digest()
