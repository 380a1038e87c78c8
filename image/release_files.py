"""Prepare a release: `python image/release_files.py 1.2.3`.

Sets the version in the code and in the chart, and moves what the changelog has under Unreleased to
the version's section.
"""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNRELEASED = "## [Unreleased]\n"


def with_section(changelog: str, version: str, day: str) -> str:
    """Return the changelog with an empty Unreleased section and the version's one below it.

    Raises:
        ValueError: The changelog has no section Unreleased.
    """
    before, heading, rest = changelog.partition(UNRELEASED)
    if not heading:
        raise ValueError("CHANGELOG.md has no section [Unreleased]")
    news, _, older = rest.partition("\n## [")
    older = f"## [{older}" if older else ""
    title = f"## [{version}] - {day}\n"
    if older.startswith(f"## [{version}]"):  # prepared before
        older = older.partition("\n")[2].lstrip("\n")
    parts = [f"{before}{UNRELEASED}", title, news.strip(), older.strip()]
    return "\n".join(f"{part.rstrip()}\n" for part in parts if part.strip())


def set_version(path: Path, pattern: str, version: str) -> None:
    """Replace what the group of `pattern` matches in a file, at least once.

    Raises:
        ValueError: Nothing matches.
    """
    text, count = re.subn(pattern, rf"\g<1>{version}\g<2>", path.read_text(), flags=re.MULTILINE)
    if not count:
        raise ValueError(f"{path} names no version")
    path.write_text(text)


def main(root: Path, version: str) -> None:
    """Write the files of the tree at `root`."""
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise SystemExit(
            f"'{version}' is no version of the form 1.2.3: make release-files VERSION=1.2.3"
        )
    changelog = root / "CHANGELOG.md"
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    changelog.write_text(with_section(changelog.read_text(), version, day))
    set_version(root / "src/docwarden/__init__.py", r'^(__version__ = ").*(")$', version)
    chart = root / "charts/docwarden/Chart.yaml"
    set_version(chart, r"^(version: ).*()$", version)
    set_version(chart, r"^(appVersion: ).*()$", version)
    set_version(chart, r"^( *image: ghcr\.io/docwarden/docwarden:).*()$", version)


if __name__ == "__main__":
    main(ROOT, sys.argv[1] if len(sys.argv) > 1 else "")
