"""The command line: one module per command."""

import argparse
import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Final

from docwarden import __version__
from docwarden.process.descriptors import open_standard

# Each command's module has `configure(parser)` and `run(arguments) -> exit status`. A module is
# imported only for its own command, so that `probe` does not pay for `inspect`.
COMMANDS: Final = {
    "serve": (
        "docwarden.cli.serve",
        "run the gateway",
        "docwarden serve --upstream-url 'http://documents.internal:3000/{id}'",
    ),
    "simulate": (
        "docwarden.cli.simulate",
        "run an upstream that cannot be trusted",
        "docwarden simulate --mix png=50,pdf=40,corrupt-pdf=10 --fault reset:0.05",
    ),
    "demo": (
        "docwarden.cli.demo",
        "run gateway and simulator together",
        "docwarden demo --listen 127.0.0.1:8080",
    ),
    "inspect": (
        "docwarden.cli.inspect",
        "verify files with the service's own checks",
        "docwarden inspect --json invoices/ scan.png",
    ),
    "explain": (
        "docwarden.cli.explain",
        "show what the gateway does with one document, attempt by attempt",
        "docwarden explain 529852 --upstream-url 'http://documents.internal:3000/{id}'",
    ),
    "probe": (
        "docwarden.cli.probe",
        "check the health of a running gateway",
        "docwarden probe ready --timeout 1",
    ),
    "config": (
        "docwarden.cli.config",
        "show the effective settings",
        "DOCWARDEN_REQUEST_TIMEOUT=5s docwarden config --json",
    ),
    "completion": (
        "docwarden.cli.completion",
        "print a shell completion script for commands and options",
        'eval "$(docwarden completion bash)"',
    ),
}
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 2 for usage, 130 after Ctrl-C."""
    open_standard()
    words = list(sys.argv[1:] if arguments is None else arguments)
    asked = next((word for word in words if word in COMMANDS), None)
    try:
        # In the try block, as it imports the command's module, long enough for a Ctrl-C.
        parser = build_parser(() if asked is None else (asked,))
        parsed = parser.parse_args(words)
        if parsed.command is None:
            parser.print_help()
            return 0
        status: int = importlib.import_module(COMMANDS[parsed.command][0]).run(parsed)
        if sys.stdout is not None:
            sys.stdout.flush()  # Python's own, at exit, would print its failure and return 120
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of the output, such as `head`, has gone.
        _abandon_output()
        return EXIT_FAILED
    except OutputError as error:
        return complain(str(error))
    return status


class OutputError(Exception):
    """The output of a command cannot be written; the message says why."""


def put(text: str) -> None:
    """Write `text` to standard output, now.

    Raises:
        BrokenPipeError: its reader has gone.
        OutputError: it cannot be written.
    """
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _abandon_output()
        raise OutputError(f"cannot write to standard output: {error.strerror or error}") from error


def build_parser(configured: Iterable[str] = ()) -> argparse.ArgumentParser:
    """Return the parser of all commands, with the options of those that are `configured`."""
    parser = argparse.ArgumentParser(
        prog="docwarden",
        description="A document gateway that delivers only intact documents.",
        epilog="`docwarden COMMAND --help` shows the options and an example.",
    )
    parser.add_argument("--version", action="version", version=f"docwarden {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    for name, (module, about, example) in COMMANDS.items():
        command = commands.add_parser(name, help=about, description=about.capitalize() + ".")
        if name in configured:
            importlib.import_module(module).configure(command)
        command.epilog = " ".join(filter(None, (command.epilog, f"Example: {example}")))
    return parser


def _abandon_output() -> None:
    """Keep Python from flushing standard output again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(message: str) -> int:
    """Print one line to standard error; return the exit status for usage errors."""
    if sys.stderr is not None:
        sys.stderr.write(f"docwarden: {message}\n")
    return EXIT_USAGE
