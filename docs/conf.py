"""Sphinx: how the pages of this folder become the site (`make docs`).

The pages are plain Markdown that reads as well without the site, so the navigation stands here.
"""

from pathlib import Path
from typing import Any, Final

_HERE: Final = Path(__file__).parent

project = "docwarden"
author = "the docwarden authors"
project_copyright = "2026, the docwarden authors"
extensions = ["myst_parser"]
exclude_patterns = ["requirements*"]

# Links name headings as GitHub does.
myst_heading_anchors = 4
# A link that leads nowhere fails the build; so does a page that nothing leads to.
nitpicky = True
# The highlighter does not know the colons in the names of recording rules.
suppress_warnings = ["misc.highlighting_failure"]

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

# Page -> captions of its navigation -> pages in order; patterns take the rest, by name.
_NAVIGATION: Final = {
    "index": {
        "Start": ["tutorial"],
        "How to": [
            "how-to/configure",
            "how-to/front-another-upstream",
            "how-to/debug-a-refusal",
            "how-to/inspect-files",
            "how-to/*",
        ],
        "Reference": [
            "reference/settings",
            "reference/cli",
            "reference/http",
            "reference/problems",
            "reference/metrics",
            "reference/*",
        ],
        "Explanation": ["explanation/architecture", "explanation/fail-safe", "explanation/*"],
        "When it rings": ["runbooks/*"],
        "Decisions": ["decisions/index"],
    },
    "decisions/index": {"": ["0*"]},
}


def _add_navigation(_: object, page: str, source: list[str]) -> None:
    """Append the tables of contents that Sphinx builds its navigation from."""
    folder = (_HERE / page).parent
    for caption, patterns in _NAVIGATION.get(page, {}).items():
        entries = [each for each in patterns if any(folder.glob(f"{each}.md"))]
        if not entries:
            continue
        lines = ["```{toctree}", ":hidden:", ":glob:", f":caption: {caption}", "", *entries, "```"]
        source[0] += "\n" + "\n".join(line for line in lines if line != ":caption: ") + "\n"


def setup(app: Any) -> dict[str, bool]:
    """Join in (called by Sphinx)."""
    app.connect("source-read", _add_navigation)
    return {"parallel_read_safe": True}
