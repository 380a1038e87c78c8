"""libtiff, the TIFF format's reference decoder, with its errors and warnings kept apart.

Pillow is built on libtiff, but hides its warnings. So the library that Pillow has loaded is called
here through its public interface (TIFFOpen(3), TIFFReadEncodedStrip(3), TIFFError(3)), which has
been the same since libtiff 4.0. Runs in the deep checker's process only.
"""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import (
    CFUNCTYPE,
    POINTER,
    byref,
    c_char_p,
    c_int,
    c_ssize_t,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
    cast,
    memmove,
)
from typing import Final

from PIL import _imaging

MAX_MESSAGES: Final = 64
"""Errors and warnings whose text is kept; all are counted."""
_MAX_TEXT: Final = 200
_LENGTH, _COMPRESSION = 257, 259

_Read = CFUNCTYPE(c_ssize_t, c_void_p, c_void_p, c_ssize_t)
_Seek = CFUNCTYPE(c_uint64, c_void_p, c_uint64, c_int)
_Close = CFUNCTYPE(c_int, c_void_p)
_Size = CFUNCTYPE(c_uint64, c_void_p)
_Map = CFUNCTYPE(c_int, c_void_p, POINTER(c_void_p), POINTER(c_uint64))
_Unmap = CFUNCTYPE(None, c_void_p, c_void_p, c_uint64)
_Handler = CFUNCTYPE(None, c_void_p, c_char_p, c_char_p, c_void_p)

# Looked up through Pillow's module, wherever its libtiff is.
_lib: Final = ctypes.CDLL(_imaging.__file__)
_libc: Final = ctypes.CDLL(None)
_libc.vsnprintf.argtypes = (c_char_p, ctypes.c_size_t, c_char_p, c_void_p)
for _name, _result, _arguments in (
    ("TIFFClientOpen", c_void_p, (c_char_p, c_char_p, c_void_p, *([c_void_p] * 7))),
    ("TIFFClose", None, (c_void_p,)),
    ("TIFFSetSubDirectory", c_int, (c_void_p, c_uint64)),
    ("TIFFFindField", c_void_p, (c_void_p, c_uint32, c_int)),
    ("TIFFGetField", c_int, (c_void_p, c_uint32, c_void_p)),
    ("TIFFIsTiled", c_int, (c_void_p,)),
    ("TIFFIsCODECConfigured", c_int, (c_uint16,)),
    ("TIFFNumberOfStrips", c_uint32, (c_void_p,)),
    ("TIFFNumberOfTiles", c_uint32, (c_void_p,)),
    ("TIFFStripSize64", c_uint64, (c_void_p,)),
    ("TIFFTileSize64", c_uint64, (c_void_p,)),
    ("TIFFScanlineSize64", c_uint64, (c_void_p,)),
    ("TIFFReadScanline", c_int, (c_void_p, c_void_p, c_uint32, c_uint16)),
    ("TIFFGetStrileByteCount", c_uint64, (c_void_p, c_uint32)),
    ("TIFFReadEncodedStrip", c_ssize_t, (c_void_p, c_uint32, c_void_p, c_ssize_t)),
    ("TIFFReadEncodedTile", c_ssize_t, (c_void_p, c_uint32, c_void_p, c_ssize_t)),
    ("TIFFSetErrorHandler", c_void_p, (c_void_p,)),
    ("TIFFSetWarningHandler", c_void_p, (c_void_p,)),
    ("TIFFSetErrorHandlerExt", c_void_p, (c_void_p,)),
    ("TIFFSetWarningHandlerExt", c_void_p, (c_void_p,)),
):
    _function = getattr(_lib, _name)
    _function.restype, _function.argtypes = _result, _arguments


class Messages:
    """The errors and warnings that libtiff reported; the text of the first ones."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.warnings: list[str] = []

    def clear(self) -> None:
        """Discard all of them."""
        self.errors.clear()
        self.warnings.clear()


class Pages:
    """An open TIFF, one directory at a time."""

    def __init__(self, handle: int, messages: Messages) -> None:
        self._tiff = handle
        self.messages = messages

    def knows(self, tag: int) -> bool:
        """Whether libtiff knows a tag; it warns of others, which is harmless."""
        return bool(_lib.TIFFFindField(self._tiff, tag, 0))

    def choose(self, offset: int) -> bool:
        """Read the directory at `offset`. Returns whether it could be read."""
        return bool(_lib.TIFFSetSubDirectory(self._tiff, offset))

    def has(self, tag: int) -> bool:
        """Whether libtiff accepted the number that a tag of the page holds."""
        return bool(_lib.TIFFGetField(self._tiff, tag, byref(c_uint64())))

    @property
    def compression(self) -> int:
        """The number of the compression (TIFF 6.0, section 8)."""
        return self._field(_COMPRESSION, c_uint16())

    @property
    def supported(self) -> bool:
        """Whether this build of libtiff decodes the compression."""
        return bool(_lib.TIFFIsCODECConfigured(self.compression))

    def pieces(self) -> tuple[int, int]:
        """Return how many strips or tiles the page has, and the bytes that one decodes to."""
        if self.tiled:
            return _lib.TIFFNumberOfTiles(self._tiff), _lib.TIFFTileSize64(self._tiff)
        return _lib.TIFFNumberOfStrips(self._tiff), _lib.TIFFStripSize64(self._tiff)

    @property
    def tiled(self) -> bool:
        """Whether the page's pieces are tiles."""
        return bool(_lib.TIFFIsTiled(self._tiff))

    def rows(self) -> tuple[int, int]:
        """Return how many rows the page has, and the bytes that one decodes to."""
        return self._field(_LENGTH, c_uint32()), _lib.TIFFScanlineSize64(self._tiff)

    def decode_row(self, number: int, into: "ctypes.Array[ctypes.c_char]") -> bool:
        """Decode the row after the last one decoded. Returns whether it could be decoded."""
        return bool(_lib.TIFFReadScanline(self._tiff, into, number, 0) >= 0)

    def stored(self, number: int) -> int:
        """Return the size of a strip or tile in the file."""
        length: int = _lib.TIFFGetStrileByteCount(self._tiff, number)
        return length

    def decode(self, number: int, into: "ctypes.Array[ctypes.c_char]") -> bool:
        """Decode a strip or tile. Returns whether it could be decoded."""
        read = _lib.TIFFReadEncodedTile if self.tiled else _lib.TIFFReadEncodedStrip
        return bool(read(self._tiff, number, into, len(into)) >= 0)

    def _field(self, tag: int, value: c_uint16 | c_uint32) -> int:
        # A missing field leaves the value as it is.
        _lib.TIFFGetField(self._tiff, tag, byref(value))
        return value.value


@contextmanager
def opened(data: bytes) -> Iterator[Pages | None]:
    """Open a TIFF, its strips as they are, without reading any directory; None without a header."""
    messages = Messages()
    start = cast(c_char_p(data), c_void_p).value or 0
    at = 0

    def read(_: object, target: int, length: int) -> int:
        nonlocal at
        length = max(0, min(length, len(data) - at))
        memmove(target, start + at, length)
        at += length
        return length

    def seek(_: object, offset: int, whence: int) -> int:
        nonlocal at
        at = (0, at, len(data))[whence] + offset
        return at

    def map_(
        _: object, base: "ctypes._Pointer[c_void_p]", size: "ctypes._Pointer[c_uint64]"
    ) -> int:
        base[0], size[0] = start, len(data)
        return 1

    kept = (
        _Read(read),
        _Read(lambda *_: 0),
        _Seek(seek),
        _Close(lambda _: 0),
        _Size(lambda _: len(data)),
        _Map(map_),
        _Unmap(lambda *_: None),
    )
    with _collecting(messages):
        handle = _lib.TIFFClientOpen(
            b"document", b"rhc", None, *(cast(each, c_void_p) for each in kept)
        )
        try:
            yield Pages(handle, messages) if handle else None
        finally:
            if handle:
                _lib.TIFFClose(handle)


@contextmanager
def _collecting(messages: Messages) -> Iterator[None]:
    """Collect the errors and warnings of libtiff in `messages` instead of printing them."""

    def to(listed: list[str]) -> "ctypes._CFunctionType":
        def take(_: object, module: bytes | None, words: bytes, arguments: int) -> None:
            if len(listed) < MAX_MESSAGES:
                buffer = ctypes.create_string_buffer(_MAX_TEXT)
                _libc.vsnprintf(buffer, _MAX_TEXT, words, arguments)
                text = buffer.value.decode("latin-1")
                listed.append(f"{(module or b'').decode('latin-1')}: {text}")
            else:
                listed.append("")

        return _Handler(take)

    kept = to(messages.errors), to(messages.warnings)
    _lib.TIFFSetErrorHandler(None)
    _lib.TIFFSetWarningHandler(None)
    _lib.TIFFSetErrorHandlerExt(cast(kept[0], c_void_p))
    _lib.TIFFSetWarningHandlerExt(cast(kept[1], c_void_p))
    try:
        yield
    finally:
        _lib.TIFFSetErrorHandlerExt(None)
        _lib.TIFFSetWarningHandlerExt(None)
