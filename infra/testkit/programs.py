"""Stand-ins for the programs that are run: they note how they were called."""

from pathlib import Path
from typing import NamedTuple, Self


class Programs(NamedTuple):
    """A folder of scripts, and the file in which each notes its calls."""

    folder: Path
    log: Path

    @classmethod
    def within(cls, parent: Path) -> Self:
        """Return an empty folder within `parent`."""
        folder = parent / "bin"
        folder.mkdir()
        log = parent / "calls"
        log.touch()
        return cls(folder, log)

    def noted(self) -> list[str]:
        """Return the calls so far, each as a command line."""
        return self.log.read_text().splitlines()

    def script(self, name: str, text: str = "") -> str:
        """Add a program that notes its call and then runs `text`; return its path."""
        program = self.folder / name
        program.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.log}"\n{text}\n')
        program.chmod(0o755)
        return str(program)
