"""`python -m reference_pages`: write every page that is not as it should be."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from reference_pages.architecture_picture import architecture_picture
from reference_pages.cli_page import cli_page
from reference_pages.cloud_picture import cloud_picture
from reference_pages.contents import with_contents
from reference_pages.metrics_page import metrics_page
from reference_pages.problems_page import problems_page
from reference_pages.settings_page import settings_page

DOCS: Final = Path(__file__).parents[1]
_INDEXES: Final = ("index.md", "decisions/index.md")
PAGES: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {
        "reference/settings.md": settings_page,
        "reference/metrics.md": metrics_page,
        "reference/problems.md": problems_page,
        "reference/cli.md": cli_page,
        "images/architecture.svg": architecture_picture,
        "explanation/cloud.svg": cloud_picture,
        **{index: functools.partial(with_contents, DOCS / index) for index in _INDEXES},
    }
)


def main() -> None:
    """Write the pages."""
    for name, make in PAGES.items():
        path = DOCS / name
        text = make()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {path}")


if __name__ == "__main__":
    main()
