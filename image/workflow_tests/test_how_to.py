"""docs/how-to/release.md, read by somebody who does only what it says."""

import re
import subprocess

import pytest

from workflows import ROOT

DIGEST = "sha256:" + "ab" * 32
BLOCK = re.compile(r"^ *```console\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
VALUES = {
    "$REPOSITORY": "registry.example/docwarden",
    "$DIGEST": DIGEST,
    "$URL": "https://forge.example/Some-Owner/Docwarden",
    "OWNER/NAME": "Some-Owner/Docwarden",
}


def commands(page):
    """Return the commands that a page tells to type."""
    found = []
    for block in BLOCK.findall((ROOT / page).read_text()):
        text = re.sub(r"\\\n\s*", "", block)
        found += [line.strip()[2:] for line in text.splitlines() if line.strip().startswith("$ ")]
    return found


@pytest.fixture(scope="module")
def reader(runner):
    """The clone of a maintainer, who has a key and a repository to push to."""
    runner.begin()
    folder = runner.folder / "maintainer"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet", "--bare", folder / "origin"], check=True)
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    settings = {
        "gpg.format": "ssh",
        "user.signingkey": key,
        "user.name": "A maintainer",
        "user.email": "maintainer@forge.example",
        "remote.origin.url": folder / "origin",
    }
    for name, value in settings.items():
        subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", runner.clone, "config", name, value], check=True
        )
    runner.own()
    return runner


@pytest.mark.parametrize("command", commands("docs/how-to/release.md"))
def test_command_of_the_page_does_what_it_says(reader, command):
    values = {**VALUES, "$COMMIT": reader.commit}
    for name, value in values.items():
        command = command.replace(name, value)
    reader.type(command)


def test_page_has_the_commands_that_matter():
    text = "\n".join(commands("docs/how-to/release.md"))
    assert len(commands("docs/how-to/release.md")) >= 7
    for word in ("release-files", "git tag", "git push", "verify-image", "gh workflow run"):
        assert word in text
