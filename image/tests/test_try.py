"""image/try.sh, which the pipeline runs on what it pushed, finds a good image and a bad one."""

import os
import subprocess
from pathlib import Path

from containers import IMAGE, podman

SCRIPT = Path(__file__).parents[1] / "try.sh"


def attempt(image):
    return subprocess.run(
        [SCRIPT, image, "linux/amd64"],
        env={**os.environ, "ENGINE": "podman", "LIMIT": "20"},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )


def left_over():
    return [
        name
        for name in podman("ps", "--all", "--format={{.Names}}").splitlines()
        if "-try-" in name
    ]


def test_image_through_which_documents_arrive_is_good():
    done = attempt(IMAGE)
    assert done.returncode == 0, done.stderr
    assert "linux/amd64: 20 documents arrived" in done.stdout
    assert left_over() == []


def test_image_that_never_serves_is_bad():
    broken = f"localhost/docwarden-broken:{os.getpid()}"
    podman(
        "build",
        "--tag",
        broken,
        "-",
        given=f'FROM {IMAGE}\nENV DOCWARDEN_LISTEN="127.0.0.1:8080"\n',
    )
    try:
        done = attempt(broken)
    finally:
        podman("image", "rm", "--force", broken, check=False)
    assert done.returncode == 1
    assert "linux/amd64: no document within 20 s" in done.stderr
    assert left_over() == []
