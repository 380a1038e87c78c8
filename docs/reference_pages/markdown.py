"""Markdown as the pages need it."""

from collections.abc import Iterable


def page(title: str, source: str, *paragraphs: str) -> str:
    """Return a page that says which code it follows from."""
    note = f"<!-- Generated from {source} by `make reference`: change it there. -->"
    return "\n\n".join((f"# {title}", note, *paragraphs)) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table; a bar inside a cell is escaped."""
    names = list(head)
    lines = [names, ["---"] * len(names)]
    lines += [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def codes(values: Iterable[str]) -> str:
    """Return values as a list of code words."""
    return ", ".join(f"`{value}`" for value in values)
