"""NOTICE names everything that the image ships, and the image holds the licences' texts."""

import json
from pathlib import Path

from containers import HARDENED, IMAGE, podman, run

ROOT = Path(__file__).parents[2]
WAYS = ("--rm", "--no-healthcheck", *HARDENED, "--entrypoint=python")
UNREADABLE = """\
import json
from importlib.metadata import distributions
from pathlib import Path
missing = [
    record.name
    for record in Path('/var/lib/dpkg/status.d').iterdir()
    if not Path('/usr/share/doc', record.name, 'copyright').is_file()
]
missing += [
    each.metadata['Name']
    for each in distributions()
    if not any(word in str(file).lower() for file in each.files for word in ('licen', 'copying'))
    and not each.metadata.get('License-Expression')
    and not each.metadata.get('License')
]
print(json.dumps(missing))
"""


def test_notice_is_what_the_image_says_of_itself():
    script = (ROOT / "image/notice.py").read_text()
    assert (ROOT / "NOTICE").read_text() == podman("run", *WAYS, IMAGE, "-c", script) + "\n", (
        "make notice renews it"
    )


def test_no_licence_is_unknown_or_asks_for_the_source_of_what_is_served():
    text = (ROOT / "NOTICE").read_text()
    assert "not stated" not in text
    assert "AGPL" not in text


def test_texts_of_the_licences_are_in_the_image():
    done = run("run", *WAYS, IMAGE, "-c", UNREADABLE)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
