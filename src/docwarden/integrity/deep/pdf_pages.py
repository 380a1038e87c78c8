"""The pages of a PDF: every node of the page tree, and the data of the pages' contents.

Runs in the deep checker's process only.
"""

import re
import zlib
from typing import Final

import pikepdf

from docwarden.integrity.deep.pdf_streams import MAX_INFLATED, filters_of, inflate, is_flate
from docwarden.integrity.formats.pdf import PdfReason
from docwarden.integrity.record import Failures

MAX_NODES: Final = 20_000
"""How many nodes of the page tree are visited."""

# Filters whose data qpdf proves when it decodes it.
_TEXT_FILTERS: Final = frozenset(
    {"/LZWDecode", "/LZW", "/ASCII85Decode", "/A85", "/ASCIIHexDecode", "/AHx"}
    | {"/RunLengthDecode", "/RL", "/FlateDecode", "/Fl"}
)


def decode_pages(pdf: pikepdf.Pdf) -> Failures:
    """Return what is wrong with the page tree, or else with the contents of a page."""
    contents = _Contents()
    try:
        fault = _walk_pages(pdf, contents)
    except (pikepdf.PdfError, TypeError, ValueError, KeyError, AttributeError) as error:
        fault = words_of(error)
    if fault:
        return [(PdfReason.PAGES_BROKEN, fault)]
    return [(PdfReason.CONTENTS_DAMAGED, contents.fault)] if contents.fault else []


def _walk_pages(pdf: pikepdf.Pdf, contents: "_Contents") -> str:
    """Resolve every page and its contents, without the repairs that `Pdf.pages` makes.

    Returns what is wrong with the first node that is, or nothing. ISO 32000-1, 7.7.3.
    """
    root = pdf.Root.get("/Pages")
    if not isinstance(root, pikepdf.Dictionary):
        return "the catalog has no page tree"
    waiting: list[pikepdf.Object | None] = [root]
    seen: set[tuple[int, int]] = set()
    pages = visits = 0
    while waiting and len(seen) < MAX_NODES and visits < MAX_NODES:
        node = waiting.pop()
        visits += 1
        if not isinstance(node, pikepdf.Dictionary):
            return f"a node of the page tree is missing, page {pages}"
        again = node.is_indirect and node.objgen in seen
        seen.add(node.objgen)
        kids = node.get("/Kids")
        pages += not isinstance(kids, pikepdf.Array)
        if fault := _fault(node, again=again):
            return f"{fault}, page {pages}"
        if not again:
            _resolve_resources(node, seen)
            contents.look(node.get("/Contents"))
        if isinstance(kids, pikepdf.Array):
            waiting.extend(kids)
    if not pages and root.get("/Count", 0) > 0:
        return "the page tree has no page, and should"
    return ""


def _fault(node: pikepdf.Object, *, again: bool) -> str:
    """Say what is wrong with a node of the page tree, which may have come before."""
    if isinstance(node.get("/Kids"), pikepdf.Array):
        return "a node with kids comes twice in the page tree" if again else ""
    if node.get("/Type") == "/Pages" and node.get("/Count"):
        return "a node of the page tree lost its kids"
    # Readers show a page twice that is listed twice.
    if not again and not _contents_resolve(node.get("/Contents")):
        return "the contents of a page do not resolve"
    return ""


def _resolve_resources(node: pikepdf.Object, seen: set[tuple[int, int]]) -> None:
    """Have qpdf read the fonts and images of a node; it warns of what it cannot read."""
    resources = node.get("/Resources")
    if not isinstance(resources, pikepdf.Dictionary):
        return
    if resources.is_indirect and resources.objgen in seen:
        return
    seen.add(resources.objgen)
    for kind in ("/Font", "/XObject"):
        named = resources.get(kind)
        if isinstance(named, pikepdf.Dictionary):
            for _ in named.items():
                pass


def _contents_resolve(contents: pikepdf.Object | None) -> bool:
    """Tell whether contents are streams; a reference to no object is null (ISO 32000-1, 7.3.10)."""
    parts = contents if isinstance(contents, pikepdf.Array) else (contents,)
    return all(part is None or isinstance(part, pikepdf.Stream) for part in parts)


class _Contents:
    """Looks at the data of pages' contents, each stream once, as far as the budget goes.

    Attributes:
        fault: What is wrong with the first that is, or nothing.
    """

    def __init__(self) -> None:
        self.fault = ""
        self._left = MAX_INFLATED
        self._seen: set[tuple[int, int]] = set()

    def look(self, contents: pikepdf.Object | None) -> None:
        """Look at the streams of one page."""
        parts = contents if isinstance(contents, pikepdf.Array) else (contents,)
        for part in parts:
            if isinstance(part, pikepdf.Stream) and part.objgen not in self._seen:
                self._seen.add(part.objgen)
                if self._left > 0 and not self.fault and (words := self._decode(part)):
                    self.fault = f"object {part.objgen[0]}: {words}"

    def _decode(self, stream: pikepdf.Object) -> str:
        filters = filters_of(stream)
        try:
            if is_flate(filters):
                self._left -= inflate(stream.read_raw_bytes(), self._left, with_checksum=False)
            elif filters and set(filters) <= _TEXT_FILTERS:
                self._left -= len(stream.read_bytes())
        except (zlib.error, pikepdf.PdfError) as error:
            return words_of(error)
        return ""


def words_of(error: object) -> str:
    """Return qpdf's words without the name that pikepdf gives to a stream."""
    return re.sub(r"^stream <[^>]*>:? ", "", str(error))
