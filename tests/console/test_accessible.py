"""What axe-core finds on the page, at each width, in each theme, healthy and while it burns.

https://github.com/dequelabs/axe-core: the rules of WCAG 2.2 A and AA, and its own best practices.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

AXE = Path(__file__).parent / "node_modules/axe-core/axe.min.js"
TALLEST_ON_A_PHONE = 4000
"""Pixels of the whole page at 390 px."""

VIEWS: dict[str, tuple[int, int, float]] = {
    "1440": (1440, 900, 1.0),
    "1024": (1024, 768, 1.0),
    "390": (390, 844, 1.0),
    "1280 at 200 %": (1280, 1024, 2.0),
}

RUN_AXE = """
const told = (node) => node.html.slice(0, 160);
return axe.run(document, { resultTypes: ["violations"] }).then((result) => result.violations.map(
  (found) => [found.id, found.help, ...found.nodes.slice(0, 3).map(told)],
));
"""

# Words that lie on several lines: letters below one another. Identifiers may break, in long pieces.
READ_BROKEN_WORDS = """
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const range = document.createRange();
while (walker.nextNode()) {
  const node = walker.currentNode;
  const parent = node.parentElement;
  if (!parent.checkVisibility() || parent.closest(".hidden, noscript")) continue;
  const head = parent.closest("thead");
  if (head && getComputedStyle(head).clipPath !== "none") continue;
  const least = parent.closest(".id, .mono") ? 8 : Infinity;
  for (const word of node.data.matchAll(/[^\\s-]+/gu)) {
    range.setStart(node, word.index);
    range.setEnd(node, word.index + word[0].length);
    const lines = new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
    if (lines > 1 && word[0].length / lines < least) found.push(word[0]);
  }
}
return found;
"""

# The headings of cells that narrow screens show beside them: generated text has no range.
READ_NARROW_HEADINGS = """
const pen = document.createElement("canvas").getContext("2d");
return [...document.querySelectorAll("[data-heading]")].filter((cell) => {
  const style = getComputedStyle(cell, "::before");
  if (!style.content.includes(cell.dataset.heading) || !cell.checkVisibility()) return false;
  pen.font = `${style.fontSize} ${style.fontFamily}`;
  const words = cell.dataset.heading.split(" ");
  return parseFloat(style.width) < Math.max(...words.map((word) => pen.measureText(word).width));
}).map((cell) => cell.dataset.heading);
"""


@pytest.fixture
def look(
    browser: Any, start_upstream: Any, start_gateway: Any, clients: Callable[..., Any]
) -> Iterator[Callable[..., None]]:
    """Return what brings the console into a state."""
    upstream = start_upstream()
    gateway = start_gateway(upstream.url, stale_if_error="5m", log_success_share="0")

    def bring(state: str, *, everything: bool) -> None:
        browser.open(f"{gateway.admin}/")
        browser.see("#link-text", "Live")
        clients(gateway)
        browser.see("#findings tbody", "pdf-startxref-wrong")
        if everything:
            browser.run("document.getElementById('tail').click()")
            browser.see("#successes tbody", "intact")
        if state == "burning":
            upstream.behave(listening=False)
            browser.see("#concerns", "Upstream circuit open")
            browser.see("#failures tbody", "connect-failed")
        if everything:
            browser.run("for (const each of document.querySelectorAll('details')) each.open = true")
        upstream.behave(mix={"corrupt-pdf": 1})
        browser.run(
            "document.getElementById('explain-id').value = '7';"
            "document.getElementById('explain-ask').click()"
        )
        browser.see("#explanation tbody", "ms")
        browser.run("document.getElementById('pause').click()")
        browser.see("#link-text", "Paused")

    yield bring
    browser.run("localStorage.clear()")


@pytest.mark.parametrize("state", ["healthy", "burning"])
def test_axe_finds_nothing_and_no_word_breaks_at_any_width_in_either_theme(
    browser: Any, look: Callable[..., None], state: str
) -> None:
    look(state, everything=True)
    browser.run(AXE.read_text())
    found = {}
    for view, (width, height, factor) in VIEWS.items():
        browser.zoom(width, height, factor)
        for scheme in ("light", "dark"):
            browser.prefer(scheme)
            violations = browser.run(RUN_AXE)
            broken = browser.run(READ_BROKEN_WORDS) + browser.run(READ_NARROW_HEADINGS)
            wide = browser.run(
                "const page = document.documentElement; return page.scrollWidth - page.clientWidth"
            )
            if violations or broken or wide:
                found[f"{view} {scheme}"] = (violations, broken, wide)
    assert found == {}


@pytest.mark.parametrize("state", ["healthy", "burning"])
def test_page_is_short_enough_for_a_phone(
    browser: Any, look: Callable[..., None], state: str
) -> None:
    browser.resize(390, 844)
    look(state, everything=False)
    height = browser.run("return document.documentElement.scrollHeight")
    assert height <= TALLEST_ON_A_PHONE
