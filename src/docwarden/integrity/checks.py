"""The checks of a document, each with its tier and default mode.

Rules of this file
    - The checks are a closed set: those here, and those that each format adds.
      `registry.CHECKS` has them all.
    - The reasons, in `reasons`, are a closed set too, and each belongs to one check, so both may
      label a metric.
    - Names are kebab-case and stable: settings, dashboards and runbooks rely on them.

`docs/reference/integrity-checks.md` is generated from these tables.
"""

from enum import StrEnum
from typing import Self


class Mode(StrEnum):
    """The consequence of a failed check."""

    ENFORCE = "enforce"
    """The document is not delivered."""
    OBSERVE = "observe"
    """The failure is counted and logged, and the document is delivered."""


class CheckSet(StrEnum):
    """Checks that are declared together. A member is its name, a `str`."""

    tier: int
    default_mode: Mode
    description: str

    def __new__(cls, name: str, tier: int, default_mode: Mode, description: str) -> Self:
        """Take one row of a table."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.tier = tier
        member.default_mode = default_mode
        member.description = description
        return member

    @property
    def may_observe(self) -> bool:
        """Whether a document that fails it can be delivered.

        What fails tier 0 is incomplete, and what has no known type has no media type to send.
        """
        return self.tier > 0 and self is not Check.MEDIA_TYPE


class Check(CheckSet):
    """The checks that no single format owns, cheapest tier first."""

    STATUS = ("status", 0, Mode.ENFORCE, "The upstream's answer has a usable status.")
    LENGTH = ("length", 0, Mode.ENFORCE, "As many bytes arrived as were declared.")
    CONTENT_CODING = ("content-coding", 0, Mode.ENFORCE, "The body is not compressed.")
    SIZE = ("size", 0, Mode.ENFORCE, "The body is within the size limit.")
    EMPTY = ("empty", 0, Mode.ENFORCE, "The body has bytes.")

    MEDIA_TYPE = ("media-type", 1, Mode.ENFORCE, "The bytes begin like an allowed type.")
    LEADING_BYTES = (
        "leading-bytes",
        1,
        Mode.OBSERVE,
        "Nothing precedes the header; readers search for it in the first 1024 bytes.",
    )
    TAIL_MARKER = ("tail-marker", 1, Mode.ENFORCE, "The format's closing mark is present.")

    CLOSING_MARK = (
        "closing-mark",
        2,
        Mode.OBSERVE,
        "The document ends with the closing mark; readers do not need it if all else is there.",
    )
    TRAILING_BYTES = (
        "trailing-bytes",
        2,
        Mode.OBSERVE,
        "Nothing follows the format's end.",
    )

    IMAGE_DECODE = ("image-decode", 3, Mode.ENFORCE, "A strict decoder reads every pixel.")
    DECODER = (
        "decoder",
        3,
        Mode.OBSERVE,
        "The decoder ends without an unforeseen error; otherwise tier 2 decides.",
    )
    DEEP_CHECK = (
        "deep-check",
        3,
        Mode.ENFORCE,
        "The deep check finishes within its limits on time and memory.",
    )
