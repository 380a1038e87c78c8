"""Images built here and pushed to an environment's registry.

``python -m docwarden_cloud.local_image demo --image localhost/docwarden-upstream:test`` pushes a
document service and prints what ``UPSTREAM_IMAGE`` is then.
"""

import argparse
import base64
import os
import sys
from collections.abc import Sequence
from typing import Any

import boto3

from docwarden_cloud.commands import answer, run, say
from docwarden_cloud.outputs import fetch_outputs
from docwarden_cloud.values import named

BUILT = "localhost/docwarden:test"
"""Name that `make image` gives."""


def push_image(ecr: Any, repository: str, *, engine: str, built: str = BUILT) -> str:
    """Build and push; the digest in the registry. An image that is there already is not sent.

    Args:
        ecr: Client of ECR.
        repository: URI of the repository.
        engine: docker or podman.
        built: Name of the image; `make image` builds the default one.

    Raises:
        CalledProcessError: The engine failed.
    """
    if built == BUILT:
        # Auto Mode's nodes are amd64, whatever this machine is; podman builds for itself.
        platform = {"DOCKER_DEFAULT_PLATFORM": "linux/amd64"}
        command = ["make", "image", f"ENGINE={engine}", f"IMAGE={BUILT}"]
        run(command, environment={**os.environ, **platform})
    name = repository.partition("/")[2]
    # Tags never change their meaning, so the tag is made of what the image is.
    identity = answer([engine, "image", "inspect", "--format", "{{.Id}}", built]) or ""
    tag = f"build-{identity.strip().removeprefix('sha256:')[:16]}"
    if _digest(ecr, name, tag) is None:
        _login(ecr, repository, engine)
        run([engine, "tag", built, f"{repository}:{tag}"])
        run([engine, "push", f"{repository}:{tag}"])
    digest = _digest(ecr, name, tag)
    if digest is None:
        raise LookupError(f"{repository} does not have what was pushed as {tag}")
    say(f"{repository}@{digest}")
    return digest


def _digest(ecr: Any, name: str, tag: str) -> str | None:
    try:
        found = ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": tag}])
    except ecr.exceptions.ImageNotFoundException:
        return None
    digest: str = found["imageDetails"][0]["imageDigest"]
    return digest


def _login(ecr: Any, repository: str, engine: str) -> None:
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    host = repository.partition("/")[0]
    run([engine, "login", "--username", user, "--password-stdin", host], given=password)


def main(arguments: Sequence[str] | None = None) -> int:
    """Push a document service. Exit status 2 where the environment has no place for one."""
    parser = argparse.ArgumentParser(prog="docwarden_cloud.local_image", description=__doc__)
    parser.add_argument("environment", help="such as demo")
    parser.add_argument("--image", required=True, help="name of the image, as it is known here")
    parser.add_argument("--engine", default="docker", help="docker or podman")
    given = parser.parse_args(arguments)
    try:
        environment = named(given.environment)
        session = boto3.session.Session(region_name=environment.region)
        outputs = fetch_outputs(session.client("cloudformation"), environment.prefix)
        repository = outputs["UpstreamRepositoryUri"]
    except (KeyError, ValueError) as problem:
        parser.exit(2, f"no repository for a document service: {problem}\n")
    push_image(session.client("ecr"), repository, engine=given.engine, built=given.image)
    return 0


if __name__ == "__main__":
    sys.exit(main())
