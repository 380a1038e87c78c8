"""Sphinx: how the pages of this folder become the site (`make docs`).

The pages are plain Markdown that reads as well without the site, so the navigation stands here.
"""

import sys
from pathlib import Path
from typing import Any, Final

_HERE: Final = Path(__file__).parent
sys.path.insert(0, str(_HERE))

from reference_pages.order import in_order  # noqa: E402 - found by the line above

project = "docwarden"
author = "the docwarden authors"
project_copyright = "2026, the docwarden authors"
extensions = ["myst_parser", "sphinx_copybutton"]
exclude_patterns = ["requirements*"]

# Links name headings as GitHub does.
myst_heading_anchors = 4
# A link that leads nowhere fails the build; so does a page that nothing leads to.
nitpicky = True
# The highlighter does not know the colons in the names of recording rules.
suppress_warnings = ["misc.highlighting_failure"]

# The copy button takes the commands of a session, without prompts and without what they printed.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True
copybutton_remove_prompts = True
copybutton_line_continuation_character = "\\"

html_static_path = ["static"]
html_css_files = ["site.css"]
# Ranks recipes and reference pages before decisions.
html_search_scorer = str(_HERE / "static/search_scorer.js")
html_theme = "furo"
html_title = "docwarden"
html_copy_source = False
html_show_sphinx = False
# Nothing is fetched from elsewhere when a page is read: furo brings its styles and uses the
# reader's own fonts.
html_theme_options: dict[str, Any] = {
    "light_css_variables": {"color-brand-primary": "#1f5fa8", "color-brand-content": "#1f5fa8"},
    "dark_css_variables": {"color-brand-primary": "#7fb4f0", "color-brand-content": "#7fb4f0"},
}

# Page -> captions of its navigation -> pages, or folders of which all pages follow in order.
_NAVIGATION: Final = {
    "index": {
        "Start": ["tutorial"],
        "How to": ["how-to/"],
        "Reference": ["reference/"],
        "Explanation": ["explanation/"],
        "On call": ["runbooks/"],
        "Decisions": ["decisions/index"],
    },
    "decisions/index": {"": ["./"]},
}


def _add_navigation(_: object, page: str, source: list[str]) -> None:
    """Append the tables of contents that Sphinx builds its navigation from."""
    here = (_HERE / page).parent
    for caption, parts in _NAVIGATION.get(page, {}).items():
        entries = [entry for part in parts for entry in _entries(here, page, part)]
        lines = ["```{toctree}", ":hidden:", f":caption: {caption}", "", *entries, "```"]
        source[0] += "\n" + "\n".join(line for line in lines if line != ":caption: ") + "\n"


def _entries(here: Path, page: str, part: str) -> list[str]:
    if not part.endswith("/"):
        return [part]
    pages = [each.relative_to(here).with_suffix("") for each in in_order(here / part)]
    return [str(each) for each in pages if here / each != _HERE / page]


def setup(app: Any) -> dict[str, bool]:
    """Join in (called by Sphinx)."""
    app.connect("source-read", _add_navigation)
    return {"parallel_read_safe": True}
