"""Processes with their output in a file."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from trial.waiting import until


class Program:
    """A process with its output in a file; `find` waits for a pattern in it."""

    def __init__(self, log: Path, command: list[str], env: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}
            )

    def find(self, pattern: str) -> re.Match[str]:
        def found() -> re.Match[str] | None:
            text = self.log.read_text(errors="replace")
            assert self.process.poll() is None, text
            return re.search(pattern, text)

        match: re.Match[str] = until(f"{pattern} in {self.log}", found)
        return match

    def listening_port(self) -> str:
        """The port that Prometheus or Alertmanager was given."""
        return self.find(r'msg="Listening on" address=127\.0\.0\.1:(\d+)')[1]

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def tool(name: str) -> str:
    """Return where the program is.

    Raises:
        FileNotFoundError: it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise FileNotFoundError(f"{name} is needed: make monitoring-tools")
    return path
