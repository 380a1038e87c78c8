"""How images are built and pushed, with a stand-in for docker that notes how it was called."""

import itertools
import json
import os
import subprocess
from pathlib import Path

import pytest
from docwarden import __version__

ROOT = Path(__file__).parents[2]
DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
REPOSITORY = "registry.example/docwarden"

# It knows what BuildKit writes, and the tags of a registry.
DOCKER = """\
#!/usr/bin/env python3
import json, os, sys
arguments = sys.argv[1:]
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
if os.environ.get("WITHOUT_BUILDX") and arguments[:1] == ["buildx"]:
    sys.exit("docker: 'buildx' is not a docker command.")
if "--metadata-file" in arguments:
    with open(arguments[arguments.index("--metadata-file") + 1], "w") as written:
        json.dump({"containerimage.digest": os.environ["DIGEST_MADE"]}, written)
with open(os.environ["TAGS"]) as read:
    tags = json.load(read)
if arguments[:3] == ["buildx", "imagetools", "create"]:
    tags[arguments[4]] = arguments[5].rpartition("@")[2]
    with open(os.environ["TAGS"], "w") as written:
        json.dump(tags, written)
if arguments[:3] == ["buildx", "imagetools", "inspect"]:
    sys.exit(print(tags[arguments[3]]) if arguments[3] in tags else "not found")
"""


@pytest.fixture
def docker(tmp_path):
    """A tree to build in, and docker with the tags of its registry."""
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin/docker"
    tool.write_text(DOCKER)
    tool.chmod(0o755)
    (tmp_path / "tags.json").write_text("{}")
    (tmp_path / "calls").touch()

    class Docker:
        tags = tmp_path / "tags.json"

        def run(self, *command, **variables):
            environment = {
                **os.environ,
                "PATH": f"{tool.parent}:{os.environ['PATH']}",
                "CALLS": str(tmp_path / "calls"),
                "TAGS": str(self.tags),
                "DIGEST_MADE": DIGEST,
                **variables,
            }
            return subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )

        def calls(self):
            return [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]

    return Docker()


def builds(docker):
    return [call for call in docker.calls() if "build" in call]


def test_docker_builds_by_buildx_which_takes_the_builder_that_was_selected(docker):
    done = docker.run("image/build.sh", "name:tag", ENGINE="docker")
    assert done.returncode == 0, done.stderr
    (call,) = builds(docker)
    assert call[:2] == ["buildx", "build"]
    assert "--load" in call  # or a builder other than the engine's own would keep the image


def test_base_of_a_docker_build_has_the_digest_that_the_tree_pins(docker):
    docker.run("image/build.sh", "name:tag", ENGINE="docker")
    (call,) = builds(docker)
    pinned = next(
        line.removeprefix("FROM ")
        for line in (ROOT / "image/base/Dockerfile").read_text().splitlines()
        if line.startswith("FROM ")
    )
    assert "@sha256:" in pinned
    assert f"BASE_IMAGE={pinned}" in call


def test_docker_without_buildx_is_refused_in_words(docker):
    done = docker.run("image/build.sh", "name:tag", ENGINE="docker", WITHOUT_BUILDX="1")
    assert done.returncode == 1
    assert "docker has no buildx" in done.stderr
    assert builds(docker) == []


def test_pushed_image_has_all_platforms_its_parts_and_its_provenance(docker):
    done = docker.run("image/push.sh", REPOSITORY, "sha-1", "linux/amd64,linux/arm64")
    assert done.returncode == 0, done.stderr
    (call,) = builds(docker)
    assert call[:2] == ["buildx", "build"]
    assert "--load" not in call
    given = dict(itertools.pairwise(call))
    assert given["--platform"] == "linux/amd64,linux/arm64"
    assert given["--tag"] == f"{REPOSITORY}:sha-1"
    assert "push=true" in given["--output"]
    assert {"type=sbom", "type=provenance,mode=max"} <= set(call)
    assert (ROOT / "build/digest").read_text().strip() == DIGEST


def test_tag_is_given_to_the_digest(docker):
    done = docker.run("image/tag.sh", REPOSITORY, DIGEST, "1.2.3")
    assert done.returncode == 0, done.stderr
    assert json.loads(docker.tags.read_text()) == {f"{REPOSITORY}:1.2.3": DIGEST}


def test_tag_that_another_image_has_is_left_alone(docker):
    docker.tags.write_text(json.dumps({f"{REPOSITORY}:1.2.3": OTHER}))
    done = docker.run("image/tag.sh", REPOSITORY, DIGEST, "1.2.3")
    assert done.returncode == 1
    assert "keeps its meaning" in done.stderr
    assert json.loads(docker.tags.read_text()) == {f"{REPOSITORY}:1.2.3": OTHER}


def test_tag_that_is_there_already_is_no_failure(docker):
    docker.tags.write_text(json.dumps({f"{REPOSITORY}:1.2.3": DIGEST}))
    assert docker.run("image/tag.sh", REPOSITORY, DIGEST, "1.2.3").returncode == 0


def test_tree_can_be_released_as_it_is(docker):
    done = docker.run("make", "--silent", "release-check", f"TAG=v{__version__}")
    assert done.returncode == 0, done.stderr
