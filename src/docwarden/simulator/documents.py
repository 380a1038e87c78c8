"""The documents that the simulator holds, intact and corrupt ones."""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from docwarden.simulator import mangling, pdf, png

CORRUPT = "corrupt-"
FILE = "file"

MEDIA_TYPES = {
    "png": "image/png",
    "pdf": "application/pdf",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "tiff": "image/tiff",
}
SUFFIXES = {
    **{f".{kind}": kind for kind in MEDIA_TYPES},
    ".jpg": "jpeg",
    ".tif": "tiff",
}
KINDS = (*MEDIA_TYPES, *(CORRUPT + kind for kind in MEDIA_TYPES), FILE, CORRUPT + FILE)

LARGEST_FOLDER_BYTES = 1024**3  # all files are held in memory


@dataclass(frozen=True, slots=True)
class SampleDocument:
    """One document; `kind` is its name in the mix, `sha256` the hex digest of its bytes."""

    kind: str
    media_type: str
    body: bytes = field(repr=False)
    sha256: str = field(init=False)

    def __post_init__(self) -> None:
        """Compute the digest."""
        object.__setattr__(self, "sha256", hashlib.sha256(self.body).hexdigest())

    @property
    def intact(self) -> bool:
        """Whether the document is as it was made."""
        return not self.kind.startswith(CORRUPT)

    def corrupted(self) -> "SampleDocument":
        """Return the document after a round trip through UTF-8 text.

        Raises:
            ValueError: the bytes are plain text, which survives a round trip.
        """
        body = mangling.through_utf8(self.body)
        if body == self.body:
            raise ValueError("plain text cannot be mangled by reading it as text")
        return SampleDocument(CORRUPT + self.kind, self.media_type, body)

    def numbered(self, number: int) -> bytes:
        """Return the bytes with a serial number in them, as valid or corrupt as before.

        Raises:
            ValueError: this type has no place for a number.
        """
        if self.kind == "png":
            return png.numbered(self.body, number)
        if self.kind in ("pdf", CORRUPT + "pdf"):
            return pdf.numbered(self.body, number)
        raise ValueError(f"{self.kind} documents cannot be numbered: png, pdf and corrupt-pdf can")


class Library:
    """The documents, each kind made or read when first used, then kept in memory."""

    def __init__(self, *, folder: Path | None = None, size: int | None = None) -> None:
        self._folder = folder
        self._size = size
        self._held: dict[str, tuple[SampleDocument, ...]] = {}

    def __iter__(self) -> Iterator[SampleDocument]:
        for documents in self._held.values():
            yield from documents

    def of(self, kind: str) -> tuple[SampleDocument, ...]:
        """Return the documents of a kind: one, or all of the folder.

        Raises:
            ValueError: there is no such kind, or it is not available.
            OSError: the folder cannot be read.
        """
        documents = self._held.get(kind)
        if documents is None:
            documents = self._held[kind] = self._obtain(kind)
        return documents

    def _obtain(self, kind: str) -> tuple[SampleDocument, ...]:
        if kind not in KINDS:
            raise ValueError(f"no kind of document: {kind!r}; there are {', '.join(KINDS)}")
        if kind.startswith(CORRUPT):
            return _corrupted(self.of(kind.removeprefix(CORRUPT)))
        if kind == FILE:
            return from_folder(self._folder)
        return (make(kind, self._size),)


def library(
    kinds: Iterable[str], *, folder: Path | None = None, size: int | None = None
) -> Library:
    """Make or read the documents of each of `kinds`.

    Args:
        kinds: names from `KINDS`.
        folder: where the kinds `file` and `corrupt-file` come from.
        size: bytes of each PNG and PDF made here; None for their usual sizes.

    Raises:
        ValueError: a kind is unknown, or not available like this.
        OSError: the folder cannot be read.
    """
    held = Library(folder=folder, size=size)
    for kind in kinds:
        held.of(kind)
    return held


def make(kind: str, size: int | None = None) -> SampleDocument:
    """Make the intact document of a kind, always with the same bytes.

    Raises:
        ValueError: there is no such kind, or none of that size.
    """
    if size is None:
        makers: dict[str, Callable[[], bytes]] = {"png": png.picture, "pdf": pdf.invoice}
        body = makers[kind]() if kind in makers else _with_pillow(kind)
    elif kind == "png":
        body = png.noise_of_size(size)
    elif kind == "pdf":
        body = pdf.noise_of_size(size)
    else:
        raise ValueError(f"only png and pdf documents can be made by size, not {kind}")
    return SampleDocument(kind, MEDIA_TYPES[kind], body)


def from_folder(folder: Path | None) -> tuple[SampleDocument, ...]:
    """Read every document file of a folder and of those below it, in the order of their paths.

    Raises:
        ValueError: there is none, or they are too large to hold.
        OSError: something cannot be read.
    """
    if folder is None:
        raise ValueError("the kinds file and corrupt-file need a folder of documents")
    paths = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()
    )
    if not paths:
        raise ValueError(f"no documents in {folder}: looked for {', '.join(SUFFIXES)}")
    if sum(path.stat().st_size for path in paths) > LARGEST_FOLDER_BYTES:
        raise ValueError(f"the documents in {folder} are more than 1 GiB together")
    return tuple(
        SampleDocument(FILE, MEDIA_TYPES[SUFFIXES[path.suffix.lower()]], path.read_bytes())
        for path in paths
    )


def _corrupted(documents: tuple[SampleDocument, ...]) -> tuple[SampleDocument, ...]:
    corrupt = []
    for document in documents:
        try:
            corrupt.append(document.corrupted())
        except ValueError:
            continue  # a file of plain text; the others of its folder will do
    if not corrupt:
        raise ValueError("none of the documents can be made corrupt: all are plain text")
    return tuple(corrupt)


def _with_pillow(kind: str) -> bytes:
    from PIL import Image  # noqa: PLC0415 - slow to import, and most runs never need it

    width, height = 240, 168
    image = Image.frombytes("RGB", (width, height), png.picture_pixels(width, height))
    out = io.BytesIO()
    image.save(out, format=kind.upper())
    return out.getvalue()
