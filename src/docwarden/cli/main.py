"""The command line: serve, simulate, demo, inspect, probe, config."""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from docwarden import __version__

# Each command's module has `configure(parser)` and `run(arguments) -> exit status`. Modules are
# imported when their command is asked for, so that `probe` does not pay for `inspect`.
_COMMANDS: Final = {
    "serve": ("docwarden.cli.serve", "run the gateway"),
    "simulate": ("docwarden.cli.simulate", "run an upstream that cannot be trusted"),
    "demo": ("docwarden.cli.demo", "run gateway and simulator together"),
    "inspect": ("docwarden.cli.inspect", "verify files with the service's own checks"),
    "probe": ("docwarden.cli.probe", "ask a running gateway for its health"),
    "config": ("docwarden.cli.config", "show the effective settings"),
}
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 2 for usage, 130 after Ctrl-C."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="docwarden", description="A document gateway: what it delivers is intact."
    )
    parser.add_argument("--version", action="version", version=f"docwarden {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    asked = next((word for word in words if word in _COMMANDS), None)
    for name, (module, about) in _COMMANDS.items():
        command = commands.add_parser(name, help=about, description=about.capitalize() + ".")
        if name == asked:
            importlib.import_module(module).configure(command)
    parsed = parser.parse_args(words)
    try:
        status: int = importlib.import_module(_COMMANDS[parsed.command][0]).run(parsed)
        if sys.stdout is not None:
            sys.stdout.flush()  # Python's own, at exit, would tell of its failure and return 120
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone, such as `head`; nothing is left to say to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def complain(message: str) -> int:
    """Print one line about what is wrong to standard error; return the usage exit status."""
    print(f"docwarden: {message}", file=sys.stderr)  # noqa: T201 - the command line's voice
    return EXIT_USAGE
