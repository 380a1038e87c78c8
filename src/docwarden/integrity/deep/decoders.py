"""Tiers 3 and 4: what decodes which format. Runs in the deep checker's process only.

Rules for the decoders
    - What a library does not support, or what is too large to decode in the time there is, is not
      judged: it is no failure.
    - A frame or page that is not judged never ends the judgement of those behind it.
    - Codes and facts decide, never a part of an error's text.
    - `MemoryError` passes through. The known exceptions of a library are translated; an unknown
      one is a defect of docwarden, counted as such, and the other tiers decide.
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
    """Return what decodes `media_type`, with its library loaded.

    Raises:
        ImportError: The library or the decoder's module is not there.
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
