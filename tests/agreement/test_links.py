"""Links between the tree's pages lead somewhere, and decisions are found."""

import re

import pytest

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:")
FENCE = re.compile(r"^(```+|~~~+)[^\n]*\n.*?^\1", re.DOTALL | re.MULTILINE)
# Joined here, so that this file does not name what it looks for.
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("deb", "debian", "org"),
        ("crates", "io"),
        ("rubygems", "org"),
    )
]


def anchor(heading):
    """Return the anchor that GitHub and the site give a heading."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")


def anchors(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return {anchor(heading) for heading in HEADING.findall(text)}


def test_links_lead_somewhere(page, root, prose):
    astray = []
    for link in LINK.findall(prose(page.read_text(encoding="utf-8"))):
        if ELSEWHERE.match(link):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        inside = target.is_relative_to(root)
        if not (inside and target.exists()) or (fragment and fragment not in anchors(target)):
            astray.append(link)
    assert astray == []


def test_every_decision_has_its_form(root):
    decisions = sorted((root / "docs/decisions").glob("[0-9]*.md"))
    assert decisions
    for page in decisions:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(page.name[:4])}. "), page.name
        assert re.search(r"^Status: (accepted|superseded by )", text, re.MULTILINE), page.name
        for part in ("Context", "Decision", "Consequences"):
            assert f"\n## {part}" in text, f"{page.name}: {part}"


def test_every_decision_is_in_the_index(root, read):
    decisions = sorted((root / "docs/decisions").glob("[0-9]*.md"))
    index = read("decisions/index.md")
    assert [page.name for page in decisions if f"({page.name})" not in index] == []


@pytest.mark.parametrize("host", HOSTS)
def test_no_file_names_the_host_of_a_registry(host, tree, root):
    naming = [
        str(file.relative_to(root)) for file in tree if host.encode() in file.read_bytes().lower()
    ]
    assert naming == []
