"""What a reader who has never seen the project finds, how soon, and on what screen."""

import re
from collections import deque
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

SITE = Path(__file__).parents[2] / "build/site"
PAGES = sorted(
    str(page.relative_to(SITE))
    for page in SITE.rglob("*.html")
    if page.name not in ("genindex.html", "search.html")
)


class Links(HTMLParser):
    """Collects where links lead, the navigation's left out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._article = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "article":
            self._article += 1
        href = dict(attrs).get("href") or ""
        if tag == "a" and self._article and href.partition("#")[0].endswith(".html"):
            self.found.append(href.partition("#")[0])

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self._article -= 1


def clicks() -> dict[str, int]:
    """How many clicks in the text of pages each page is away from the front."""
    away, waiting = {"index.html": 0}, deque(["index.html"])
    while waiting:
        page = waiting.popleft()
        links = Links()
        links.feed((SITE / page).read_text(encoding="utf-8"))
        for href in links.found:
            target = (SITE / page).parent / href
            name = str(target.resolve().relative_to(SITE.resolve()))
            if "://" not in href and name not in away:
                away[name] = away[page] + 1
                waiting.append(name)
    return away


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ("how-to/connect-monitoring.html", "scrape_configs"),
        ("reference/integrity-checks.html", "pdf-startxref-wrong"),
        ("how-to/configure.html", "DOCWARDEN_REQUEST_TIMEOUT"),
    ],
)
def test_what_is_looked_for_first_is_within_three_clicks(page: str, says: str):
    assert says in re.sub(r"<[^>]+>", "", (SITE / page).read_text(encoding="utf-8"))
    assert clicks()[page] <= 3


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("timeout", r"how-to/"),
        ("scrape", r"how-to/connect-monitoring"),
        ("kubernetes", r"how-to/"),
        ("pdf-startxref-wrong", r"(how-to|reference|runbooks|tutorial|explanation)"),
        ("breaker", r"(how-to|reference|runbooks)/"),
    ],
)
def test_search_ranks_recipes_before_decisions(browser: Any, site: str, words: str, first: str):
    browser.open(f"{site}/search.html?q={words}")
    browser.see("#search-results", "Search finished")
    found = browser.run(
        "return [...document.querySelectorAll('#search-results li a')].map("
        "each => new URL(each.href).pathname.slice(1))"
    )
    assert re.match(first, found[0]), found
    kinds = ["decisions/" in each for each in found]
    assert kinds == sorted(kinds), found


def test_every_block_of_code_has_a_button_that_copies_commands_only(browser: Any, site: str):
    browser.open(f"{site}/tutorial.html")
    browser.see("h1", "Tutorial")
    blocks, buttons = browser.run(
        "return [document.querySelectorAll('div.highlight pre').length,"
        " document.querySelectorAll('div.highlight button.copybtn').length]"
    )
    assert blocks == buttons > 10
    # What it selects for the clipboard, which a page without a click of a hand may not write to.
    browser.run(
        "document.execCommand = () => {"
        " window.copied = document.activeElement.value || getSelection().toString();"
        " return true };"
        "[...document.querySelectorAll('div.highlight-console')].find("
        "each => each.innerText.includes('head -c 8')).querySelector('button.copybtn').click()"
    )
    copied = browser.run("return window.copied")
    assert copied.splitlines() == [
        "curl -s -o broken.pdf http://localhost:3000/document/corrupt-pdf/1",
        "head -c 8 broken.pdf; echo; tail -c 6 broken.pdf",
    ]


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_wider_than_a_phone(browser: Any, site: str, page: str):
    browser.resize(390, 844)
    browser.open(f"{site}/{page}")
    wide = browser.run(
        "return document.documentElement.scrollWidth > innerWidth ? "
        "[...document.querySelectorAll('article *')].filter("
        "each => each.getBoundingClientRect().right > innerWidth + 1"
        " && !each.closest('pre, .table-wrapper, table')).map("
        "each => each.outerHTML.slice(0, 120)) : null"
    )
    assert wide is None
    assert browser.complaints() == []
