"""Other programs, run in sight of whoever waits for them."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""


def say(text: str) -> None:
    """Tell people what happens, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run(
    command: Sequence[str],
    *,
    given: str | None = None,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a program, showing the command and what it prints.

    Args:
        command: Program and arguments; no shell reads them.
        given: Its standard input.
        cwd: Where it runs.
        environment: Its environment variables, if not this process's.

    Raises:
        CalledProcessError: It failed.
        FileNotFoundError: It is not installed.
    """
    say(f"+ {' '.join(command)}")
    subprocess.run(command, input=given, text=True, check=True, cwd=cwd, env=environment)  # noqa: S603  arguments are ours


def answer(command: Sequence[str]) -> str | None:
    """What a program prints; ``None`` when it fails.

    Raises:
        FileNotFoundError: It is not installed.
    """
    asked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603  arguments are ours
    return asked.stdout if asked.returncode == 0 else None
