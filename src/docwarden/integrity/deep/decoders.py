"""Tiers 3 and 4: the decoder of each format. Runs in the deep checker's process only.

Rules for the decoders
    - What a library does not support, or what is too large to decode in time, is not judged, which
      is no failure.
    - A frame or page that is not judged does not keep those behind it from being judged.
    - Decisions rest on codes and facts, never on the text of an error.
    - `MemoryError` passes through. The known exceptions of a library are translated; any other
      is a defect of docwarden, counted as such, and the other tiers decide.
"""

import functools
import importlib
from collections.abc import Callable
from typing import Any, ParamSpec

from docwarden.integrity.reasons import Reason
from docwarden.integrity.record import Failures
from docwarden.integrity.registry import MEDIA_TYPES

P = ParamSpec("P")
Decode = Callable[[Any, int], Failures]
"""Takes the document, or a `Source` of it where its format streams, and the top tier."""


def load_decoder(media_type: str) -> Decode:
    """Return the decoder of `media_type`, and load its library.

    Raises:
        ImportError: The library or the decoder's module is missing.
        AttributeError: The module has no such function.
    """
    module, _, name = MEDIA_TYPES[media_type].decoder.partition(":")
    decode: Decode = getattr(importlib.import_module(module), name)
    return guarded(decode)


def guarded(decode: Callable[P, Failures]) -> Callable[P, Failures]:
    """Wrap `decode` so that an unexpected exception becomes a failure instead."""

    @functools.wraps(decode)
    def guarded_decode(*arguments: P.args, **named: P.kwargs) -> Failures:
        try:
            return decode(*arguments, **named)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the document is not to blame
            return [(Reason.DECODER_DEFECT, f"{type(error).__name__} in {decode.__name__}")]

    return guarded_decode
