"""What scanners find in the image is what is in it: nothing escapes their advisories.

BuildKit lists the parts of a released image with syft, too.
"""

import json
import os
import re
import subprocess

import pytest

from containers import HARDENED, IMAGE, podman

INSTALLED = """\
import json
from importlib.metadata import distributions
from pathlib import Path
fields = [
    dict(
        line.split(': ', 1)
        for line in record.read_text().splitlines()
        if line[:1].isalpha() and ': ' in line
    )
    for record in Path('/var/lib/dpkg/status.d').iterdir()
]
print(json.dumps({
    'deb': [(each['Package'], each['Version']) for each in fields],
    'python': [(each.metadata['Name'], each.version) for each in distributions()],
}))
"""


def comparable(kind, name, version):
    # https://packaging.python.org/en/latest/specifications/name-normalization/
    return (re.sub(r"[-_.]+", "-", name).lower() if kind == "python" else name), version


@pytest.fixture(scope="module")
def installed():
    ways = ("--rm", "--no-healthcheck", *HARDENED, "--entrypoint=python")
    found = json.loads(podman("run", *ways, IMAGE, "-c", INSTALLED))
    return {kind: {comparable(kind, *each) for each in parts} for kind, parts in found.items()}


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    archive = tmp_path_factory.mktemp("archive") / "image.tar"
    podman("save", "--quiet", f"--output={archive}", IMAGE)
    done = subprocess.run(
        [os.environ["SYFT"], "scan", "--quiet", f"docker-archive:{archive}", "--output=json"],
        env={**os.environ, "SYFT_CHECK_FOR_APP_UPDATE": "false"},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", ["deb", "python"])
def test_every_installed_package_is_found_with_its_version(installed, scanned, kind):
    found = {
        comparable(kind, each["name"], each["version"])
        for each in scanned["artifacts"]
        if each["type"] == kind
    }
    assert len(installed[kind]) > 15
    assert installed[kind] - found == set()


def test_distribution_is_known_whose_advisories_count(scanned):
    assert (scanned["distro"]["id"], scanned["distro"]["versionID"]) == ("debian", "13")
