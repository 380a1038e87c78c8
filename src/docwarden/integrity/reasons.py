"""The closed set of reasons for which a check fails.

Each row: stable code, the check it belongs to, what it means. The codes are metric labels.
"""

from enum import StrEnum
from typing import Self

from docwarden.integrity.checks import Check


class Reason(StrEnum):
    """Why a check failed. A member is its code, a `str`."""

    check: Check
    meaning: str

    def __new__(cls, code: str, check: Check, meaning: str) -> Self:
        """Take one row of the table below."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.check = check
        member.meaning = meaning
        return member

    BODY_TRUNCATED = ("body-truncated", Check.LENGTH, "Fewer bytes came than were declared.")
    BYTES_AFTER_BODY = ("bytes-after-body", Check.LENGTH, "More bytes came than were declared.")
    CONTENT_CODED = ("content-coded", Check.CONTENT_CODING, "The body is compressed, unasked.")
    BODY_TOO_LARGE = ("body-too-large", Check.SIZE, "The body is larger than the cap.")
    EMPTY_BODY = ("empty-body", Check.EMPTY, "The body has no bytes.")

    TYPE_UNKNOWN = ("type-unknown", Check.MEDIA_TYPE, "The bytes are of none of the types.")
    HTML_INSTEAD = ("html-instead", Check.MEDIA_TYPE, "An HTML page came instead.")
    TEXT_INSTEAD = ("text-instead", Check.MEDIA_TYPE, "JSON, XML or other text came instead.")
    ZEROS_INSTEAD = ("zeros-instead", Check.MEDIA_TYPE, "The first bytes are all zero.")
    SIGNATURE_DAMAGED = (
        "signature-damaged",
        Check.MEDIA_TYPE,
        "The signature is that of an allowed type after a transfer as text.",
    )
    LEADING_BYTES = ("leading-bytes", Check.LEADING_BYTES, "Bytes stand before the header.")
    END_MISSING = (
        "end-missing",
        Check.TAIL_MARKER,
        "The closing mark (%%EOF, IEND, EOI, trailer) is nowhere in the bytes.",
    )

    PDF_STARTXREF_MISSING = (
        "pdf-startxref-missing",
        Check.PDF_STRUCTURE,
        "No startxref with a number stands before the last %%EOF.",
    )
    PDF_STARTXREF_WRONG = (
        "pdf-startxref-wrong",
        Check.PDF_STRUCTURE,
        "The last startxref lands on no cross-reference section: bytes were lost, added or moved.",
    )
    PDF_SECTION_WRONG = (
        "pdf-section-wrong",
        Check.PDF_STRUCTURE,
        "A Prev or XRefStm entry lands on no cross-reference section.",
    )
    PDF_TRAILER_BROKEN = (
        "pdf-trailer-broken",
        Check.PDF_STRUCTURE,
        "A cross-reference section has no trailer, or no trailer names the catalog.",
    )
    PDF_UPDATE_UNFINISHED = (
        "pdf-update-unfinished",
        Check.PDF_STRUCTURE,
        "Objects follow the last %%EOF: an update, or the file itself, was cut short.",
    )

    PNG_HEADER_INVALID = (
        "png-header-invalid",
        Check.PNG_STRUCTURE,
        "IHDR is not first, or holds values that no PNG has.",
    )
    PNG_CHUNK_INVALID = (
        "png-chunk-invalid",
        Check.PNG_STRUCTURE,
        "A chunk has an impossible type, or one that no decoder may skip.",
    )
    PNG_CHUNK_TRUNCATED = (
        "png-chunk-truncated",
        Check.PNG_STRUCTURE,
        "A chunk reaches past the end of the bytes.",
    )
    PNG_CRC_MISMATCH = ("png-crc-mismatch", Check.PNG_STRUCTURE, "A chunk's CRC is wrong.")
    PNG_ORDER_INVALID = (
        "png-order-invalid",
        Check.PNG_STRUCTURE,
        "IDAT chunks are missing or apart, or the palette is missing or misplaced.",
    )
    PNG_TOO_MANY_CHUNKS = (
        "png-too-many-chunks",
        Check.PNG_STRUCTURE,
        "More chunks than any encoder writes.",
    )

    JPEG_MARKER_MISSING = (
        "jpeg-marker-missing",
        Check.JPEG_STRUCTURE,
        "Something else stands where a marker must be.",
    )
    JPEG_SEGMENT_TRUNCATED = (
        "jpeg-segment-truncated",
        Check.JPEG_STRUCTURE,
        "A segment or scan reaches past the end of the bytes.",
    )
    JPEG_FRAME_INVALID = (
        "jpeg-frame-invalid",
        Check.JPEG_STRUCTURE,
        "The frame header is missing or holds impossible values.",
    )
    JPEG_SCAN_MISSING = ("jpeg-scan-missing", Check.JPEG_STRUCTURE, "There is no scan.")
    JPEG_TOO_MANY_SEGMENTS = (
        "jpeg-too-many-segments",
        Check.JPEG_STRUCTURE,
        "More segments than any encoder writes.",
    )

    GIF_HEADER_INVALID = (
        "gif-header-invalid",
        Check.GIF_STRUCTURE,
        "The screen descriptor or the colour table is cut short.",
    )
    GIF_BLOCK_INVALID = (
        "gif-block-invalid",
        Check.GIF_STRUCTURE,
        "Something else stands where a block must begin, or an image's code size is impossible.",
    )
    GIF_BLOCK_TRUNCATED = (
        "gif-block-truncated",
        Check.GIF_STRUCTURE,
        "A block reaches past the end of the bytes.",
    )
    GIF_IMAGE_MISSING = ("gif-image-missing", Check.GIF_STRUCTURE, "There is no image.")
    GIF_TOO_MANY_BLOCKS = (
        "gif-too-many-blocks",
        Check.GIF_STRUCTURE,
        "More blocks than any encoder writes.",
    )

    WEBP_SIZE_WRONG = (
        "webp-size-wrong",
        Check.WEBP_STRUCTURE,
        "The RIFF header declares more bytes than there are.",
    )
    WEBP_CHUNK_TRUNCATED = (
        "webp-chunk-truncated",
        Check.WEBP_STRUCTURE,
        "A chunk reaches past the end of its container.",
    )
    WEBP_CHUNK_INVALID = (
        "webp-chunk-invalid",
        Check.WEBP_STRUCTURE,
        "A chunk's type or header is impossible.",
    )
    WEBP_IMAGE_MISSING = ("webp-image-missing", Check.WEBP_STRUCTURE, "There is no image.")
    WEBP_TOO_MANY_CHUNKS = (
        "webp-too-many-chunks",
        Check.WEBP_STRUCTURE,
        "More chunks than any encoder writes.",
    )

    TIFF_DIRECTORY_TRUNCATED = (
        "tiff-directory-truncated",
        Check.TIFF_STRUCTURE,
        "A directory lies outside the bytes.",
    )
    TIFF_DIRECTORY_LOOP = (
        "tiff-directory-loop",
        Check.TIFF_STRUCTURE,
        "The chain of directories comes back to itself or does not end.",
    )
    TIFF_VALUE_OUTSIDE = (
        "tiff-value-outside",
        Check.TIFF_STRUCTURE,
        "A value of a directory lies outside the bytes.",
    )
    TIFF_DATA_OUTSIDE = (
        "tiff-data-outside",
        Check.TIFF_STRUCTURE,
        "A strip or tile lies outside the bytes.",
    )
    TIFF_IMAGE_MISSING = (
        "tiff-image-missing",
        Check.TIFF_STRUCTURE,
        "No directory describes an image.",
    )

    TRAILING_BYTES = ("trailing-bytes", Check.TRAILING_BYTES, "Bytes stand after the end.")

    PDF_UNREADABLE = (
        "pdf-unreadable",
        Check.PDF_PARSE,
        "A strict parser cannot open the file without repairing it.",
    )
    PDF_PAGES_BROKEN = (
        "pdf-pages-broken",
        Check.PDF_PARSE,
        "The page tree is damaged, or a page cannot be resolved.",
    )
    IMAGE_UNDECODABLE = (
        "image-undecodable",
        Check.IMAGE_DECODE,
        "A strict decoder finds the image data damaged.",
    )
    DEEP_CHECK_CRASHED = (
        "deep-check-crashed",
        Check.DEEP_CHECK,
        "The process that looked at the document died.",
    )
    DEEP_CHECK_TIMEOUT = (
        "deep-check-timeout",
        Check.DEEP_CHECK,
        "The document took too long to look at.",
    )
    DEEP_CHECK_MEMORY = (
        "deep-check-memory",
        Check.DEEP_CHECK,
        "The document took too much memory to look at.",
    )
    PDF_OBJECT_DAMAGED = (
        "pdf-object-damaged",
        Check.PDF_STREAMS,
        "An object that no page needs, such as a form field or a heading's tag, cannot be read.",
    )
    PDF_STREAM_DAMAGED = (
        "pdf-stream-damaged",
        Check.PDF_STREAMS,
        "A Flate stream's checksum is wrong, or its data cannot be inflated.",
    )
