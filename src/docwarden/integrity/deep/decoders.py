"""Tiers 3 and 4: which library judges which type. Runs in the deep checker's process only.

Each library is loaded with the first document that needs it, to keep the idle process small.
Rules for the judges
    - What a library does not support, or what is too large to decode in the time there is, is not
      judged: it is no failure.
    - `MemoryError` passes through. The known exceptions of a library are translated; an unknown
      one ends the process, which counts as a crash.
"""

from collections.abc import Callable

from docwarden.integrity.checks import MediaType
from docwarden.integrity.reasons import Reason

Judge = Callable[[bytes, int], list[tuple[Reason, str]]]
"""Takes the document and the top tier, returns the failures."""


def judge_for(media_type: MediaType) -> Judge:
    """Return the judge of `media_type`, with its library loaded."""
    # ruff: noqa: PLC0415 - loading late is the point
    if media_type is MediaType.PDF:
        from docwarden.integrity.deep.decode_pdf import judge_pdf

        return judge_pdf
    if media_type is MediaType.JPEG:
        from docwarden.integrity.deep.decode_jpeg import judge_jpeg

        return judge_jpeg
    from docwarden.integrity.deep.decode_image import judge_image

    return judge_image
