"""Commands of cdk and helm that the code runs, held against the help of these programs."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {
    "cdk": ROOT / "infra" / "node_modules" / ".bin" / "cdk",
    "helm": ROOT / ".cache" / "helm" / "helm",
}
CODE = "".join(
    (ROOT / "infra" / name).read_text()
    for name in (
        "docwarden_cloud/bootstrap.py",
        "docwarden_cloud/rollout.py",
        "docwarden_cloud/rollout_steps.py",
        "docwarden_cloud/teardown.py",
    )
)
CALLS = {
    ("cdk", "bootstrap"): {"--context"},
    ("cdk", "deploy"): {"--context", "--outputs-file", "--require-approval"},
    ("cdk", "destroy"): {"--force"},
    ("helm", "history"): {"--namespace", "--output"},
    ("helm", "rollback"): {"--namespace", "--timeout", "--wait"},
    ("helm", "test"): {"--logs", "--namespace", "--timeout"},
    ("helm", "uninstall"): {"--ignore-not-found", "--namespace", "--wait"},
    ("helm", "upgrade"): {
        *("--install", "--namespace", "--rollback-on-failure", "--timeout", "--values", "--wait"),
    },
}


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_the_program_has_what_it_is_called_with(call: tuple[str, str]):
    program, command = call
    assert PROGRAMS[program].is_file(), "make test-infra sets it up"
    told = subprocess.run(
        [str(PROGRAMS[program]), command, "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", told.stdout))
    assert CALLS[call] <= options


def test_every_option_that_the_code_gives_them_is_looked_up():
    known = {option for options in CALLS.values() for option in options}
    given = set(re.findall(r'[f]?"(--[a-z-]+)[="]', CODE))
    others = {  # of the programs of this package, of kubectl, and of rollout.py itself
        *(
            "--access",
            "--all",
            "--as-administrator",
            "--digest",
            "--dry-run",
            "--engine",
            "--every",
        ),
        *("--filename", "--helm", "--notify", "--only", "--patience", "--prometheus", "--region"),
        *("--upstream-image", "--upstream-url", "--watch"),
    }
    assert given <= known | others
