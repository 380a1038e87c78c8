from pathlib import Path

from docwarden.integrity.reference import render

PAGE = Path(__file__).parents[3] / "docs/reference/integrity-checks.md"


def test_page_of_the_checks_is_what_the_code_says():
    assert PAGE.read_text(encoding="utf-8") == render()
