"""The lists of pages in the indexes: every page of a folder by its title, in order of need.

A list stands between two comments, `<!-- pages of FOLDER -->` and `<!-- end -->`; what is around
it is written by hand.
"""

import re
from pathlib import Path
from typing import Final

from reference_pages.order import in_order

_LIST: Final = re.compile(r"(<!-- pages of (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
_TITLE: Final = re.compile(r"^# (.+)$", re.MULTILINE)


def with_contents(index: Path) -> str:
    """Return the text of the page `index` with each of its lists up to date."""

    def renewed(match: re.Match[str]) -> str:
        rows = [
            f"- [{_title(page)}]({page.relative_to(index.parent).as_posix()})"
            for page in in_order(index.parent / match[2])
            if page != index
        ]
        return "\n".join((match[1], *rows, *[""] * bool(rows), match[3]))

    return _LIST.sub(renewed, index.read_text(encoding="utf-8"))


def _title(page: Path) -> str:
    """Return the first heading of a page.

    Raises:
        ValueError: the page has none.
    """
    found = _TITLE.search(page.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{page} has no heading")
    return found[1]
