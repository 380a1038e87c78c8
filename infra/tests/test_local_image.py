"""An image that was built here reaches the registry once."""

import json
import re

import pytest

from docwarden_cloud.local_image import push_image

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


def test_an_image_is_pushed_once_under_a_tag_of_what_it_is(account, tools):
    ecr = account.client("ecr")
    repository = ecr.create_repository(repositoryName="docwarden")["repository"]["repositoryUri"]
    manifest = json.dumps({"schemaVersion": 2, "config": {}, "layers": []})
    identity = "sha256:" + "cd" * 32
    tools.script(
        "docker", f'[[ $1 == image ]] && echo "{identity}"\n[[ $1 == login ]] && cat\nexit 0'
    )
    tag = f"build-{'cd' * 8}"
    with pytest.raises(LookupError, match="does not have what was pushed"):
        push_image(ecr, repository, engine="docker")  # the stand-in pushes nothing
    assert f"docker push {repository}:{tag}" in tools.noted()
    ecr.put_image(
        repositoryName="docwarden",
        imageManifest=manifest,
        imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
        imageTag=tag,
    )
    before = len(tools.noted())
    digest = push_image(ecr, repository, engine="docker")
    assert re.fullmatch("sha256:[0-9a-f]{64}", digest)
    assert not [call for call in tools.noted()[before:] if "push" in call]
