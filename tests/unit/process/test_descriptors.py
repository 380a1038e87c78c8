"""As many files as connections need, or fewer connections."""

import subprocess
import sys

import pytest

from docwarden.process.descriptors import clients_within


@pytest.mark.parametrize(
    ("room", "clients"),
    [(20_000, 10_000), (10_364, 10_000), (4_096, 3_732), (1_024, 660), (600, 300), (64, 32)],
)
def test_clients_are_as_many_as_the_files_allow(room, clients):
    assert clients_within(room, configured=10_000, others=364) == clients


@pytest.mark.parametrize(
    ("soft", "hard", "needed", "after"),
    [(256, 512, 400, 400), (256, 512, 9_999, 512), (256, 512, 100, 256)],
)
def test_soft_limit_is_raised_as_far_as_needed_and_allowed(soft, hard, needed, after):
    code = (
        "import resource; from docwarden.process.descriptors import raise_limit;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}));"
        f"print(raise_limit({needed}), *resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    found = subprocess.run((sys.executable, "-c", code), capture_output=True, check=True).stdout
    assert found.split() == [str(after).encode(), str(after).encode(), str(hard).encode()]
