"""A release whose parts do not agree is refused, and a command makes them agree."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = (
    "CHANGELOG.md",
    "charts/docwarden/Chart.yaml",
    "image/base/Dockerfile",
    "image/base.sh",
    "image/release_check.sh",
    "image/release_files.py",
    "image/release_notes.sh",
    "src/docwarden/__init__.py",
)


@pytest.fixture
def tree(tmp_path):
    for name in FILES:
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    return tmp_path


def run(tree, *command):
    return subprocess.run(
        command, cwd=tree, capture_output=True, text=True, check=False, timeout=30
    )


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_tree_of_this_commit_can_be_released(tree):
    done = run(tree, "image/release_check.sh", "")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("image/base/Dockerfile", "@sha256:", "#", "make pin-base"),
        ("CHANGELOG.md", "\n## [0", "\n## (0", "no section"),
        ("charts/docwarden/Chart.yaml", "\nversion: ", "\nversion: 9", "Chart.yaml"),
        ("src/docwarden/__init__.py", '.0"', '.0.dev1"', "1.2.3"),
    ],
)
def test_part_that_does_not_agree_is_named(tree, file, old, new, message):
    replace(tree / file, old, new)
    done = run(tree, "image/release_check.sh", "")
    assert done.returncode == 1
    assert message in done.stderr


def test_tag_of_another_version_is_refused(tree):
    done = run(tree, "image/release_check.sh", "v9.9.9")
    assert done.returncode == 1
    assert "the tag is 'v9.9.9'" in done.stderr


def test_one_command_prepares_the_next_release(tree):
    replace(
        tree / "CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n### Fixed\n\n- A thing.\n"
    )
    done = run(tree, "python3", "image/release_files.py", "1.2.3")
    assert done.returncode == 0, done.stderr
    done = run(tree, "image/release_check.sh", "v1.2.3")
    assert done.returncode == 0, done.stderr
    notes = run(tree, "image/release_notes.sh", "1.2.3").stdout
    assert notes.startswith("### Fixed\n\n- A thing.\n")
    assert run(tree, "image/release_notes.sh", "Unreleased").stdout == ""


def test_lines_that_the_release_would_not_tell_of_are_named(tree):
    replace(tree / "CHANGELOG.md", "## [Unreleased]\n", "## [Unreleased]\n\n- A thing.\n")
    done = run(tree, "image/release_check.sh", "")
    assert done.returncode == 0
    assert "make release-files VERSION=" in done.stderr
    version = done.stderr.strip().rpartition("=")[2]
    run(tree, "python3", "image/release_files.py", version)
    assert run(tree, "image/release_check.sh", "").stderr == ""


def test_preparing_twice_loses_nothing(tree):
    run(tree, "python3", "image/release_files.py", "1.2.3")
    before = (tree / "CHANGELOG.md").read_text()
    run(tree, "python3", "image/release_files.py", "1.2.3")
    assert (tree / "CHANGELOG.md").read_text() == before


@pytest.mark.parametrize("version", ["", "v1.2.3", "1.2", "1.2.3-rc1", "01.2.3"])
def test_what_is_no_version_changes_nothing(tree, version):
    before = {name: (tree / name).read_bytes() for name in FILES}
    done = run(tree, "python3", "image/release_files.py", version)
    assert done.returncode != 0
    assert before == {name: (tree / name).read_bytes() for name in FILES}
