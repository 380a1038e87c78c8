"""The reasons for which a check fails: a closed set, to which each format adds its own.

Each row: stable code, the check it belongs to, what it means. The codes are metric labels.
`registry.REASONS` has them all.
"""

from typing import Self

from docwarden.core.errors import ReasonCode
from docwarden.integrity.checks import Check, CheckSet


class ReasonSet(ReasonCode):
    """Reasons that are declared together."""

    check: CheckSet

    def __new__(cls, code: str, check: CheckSet, meaning: str) -> Self:
        """Take one row of a table."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.check = check
        member.meaning = meaning
        return member


class Reason(ReasonSet):
    """The reasons that no single format owns."""

    BODY_TRUNCATED = ("body-truncated", Check.LENGTH, "Fewer bytes arrived than were declared.")
    BYTES_AFTER_BODY = ("bytes-after-body", Check.LENGTH, "More bytes arrived than were declared.")
    CONTENT_CODED = (
        "content-coded",
        Check.CONTENT_CODING,
        "The body is compressed although that was not requested.",
    )
    BODY_TOO_LARGE = ("body-too-large", Check.SIZE, "The body is larger than the limit.")
    EMPTY_BODY = ("empty-body", Check.EMPTY, "The body has no bytes.")
    TYPE_UNKNOWN = ("type-unknown", Check.MEDIA_TYPE, "The bytes are of no known type.")
    HTML_INSTEAD = ("html-instead", Check.MEDIA_TYPE, "An HTML page was received instead.")
    TEXT_INSTEAD = (
        "text-instead",
        Check.MEDIA_TYPE,
        "JSON, XML or other text was received instead.",
    )
    ZEROS_INSTEAD = ("zeros-instead", Check.MEDIA_TYPE, "The first bytes are all zero.")
    SIGNATURE_DAMAGED = (
        "signature-damaged",
        Check.MEDIA_TYPE,
        "The signature is that of an allowed type, damaged by a transfer as text.",
    )
    LEADING_BYTES = ("leading-bytes", Check.LEADING_BYTES, "There are bytes before the header.")
    END_MISSING = (
        "end-missing",
        Check.TAIL_MARKER,
        "The closing mark (%%EOF, IEND, EOI, trailer) is missing.",
    )
    CLOSING_MARK_MISSING = (
        "closing-mark-missing",
        Check.CLOSING_MARK,
        "The document is complete except for its end marker.",
    )
    TRAILING_BYTES = ("trailing-bytes", Check.TRAILING_BYTES, "There are bytes after the end.")
    IMAGE_UNDECODABLE = (
        "image-undecodable",
        Check.IMAGE_DECODE,
        "A strict decoder finds the image data damaged.",
    )
    DECODER_DEFECT = (
        "decoder-defect",
        Check.DECODER,
        "The decoder failed with an unforeseen error. Please report it.",
    )
    DEEP_CHECK_CRASHED = (
        "deep-check-crashed",
        Check.DEEP_CHECK,
        "The process that checked the document died.",
    )
    DEEP_CHECK_TIMEOUT = (
        "deep-check-timeout",
        Check.DEEP_CHECK,
        "The document took too long to check.",
    )
    DEEP_CHECK_MEMORY = (
        "deep-check-memory",
        Check.DEEP_CHECK,
        "The document took too much memory to check.",
    )
