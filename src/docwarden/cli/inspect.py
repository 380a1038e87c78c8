"""`docwarden inspect FILE...`: verify files with the service's own code."""

import argparse
import asyncio
import os
import signal
import sys
from types import FrameType
from typing import Final

from docwarden.integrity.deep.process import WorkerFailedError
from docwarden.integrity.policy import TOP_TIER, Policy

ALL_INTACT, SOME_BROKEN, USAGE, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses."""

MAX_BYTES: Final = 32 << 20
LARGEST_CAP: Final = 1 << 30
"""The same as of the gateway: a file is read whole, into memory allocated before."""
DEFAULT_TIER: Final = 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = "Verify files as the gateway verifies documents."
    parser.epilog = (
        "Exit status: 0 all intact, 1 some not, 2 wrong usage, an unreadable file, or an output"
        " that cannot be written."
    )
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="a file or a pipe, a folder to search, or - for standard input",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    parser.add_argument(
        "--tier",
        type=int,
        choices=range(1, TOP_TIER + 1),
        default=DEFAULT_TIER,
        help="the highest tier of checks to run (default %(default)s)",
    )
    parser.add_argument(
        "--checks",
        default="",
        metavar="CHECK=MODE,...",
        help="modes of checks, such as trailing-bytes=enforce",
    )
    parser.add_argument(
        "--max-bytes",
        type=_cap,
        default=MAX_BYTES,
        metavar="N",
        help="a larger file counts as broken and is not read (default %(default)s)",
    )


def _cap(text: str) -> int:
    cap = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    if not 1 <= cap <= LARGEST_CAP:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {LARGEST_CAP}")
    return cap


def run(arguments: argparse.Namespace) -> int:
    """Inspect the files that `arguments` name. Returns the exit status."""
    # The other commands import this module too, and must not load rich.
    from docwarden.cli.inspect_files import inspect  # noqa: PLC0415 - see above
    from docwarden.cli.inspect_report import Report  # noqa: PLC0415 - see above

    if sys.stdout is None:
        return _give_up("standard output is closed")
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # With asyncio's own handler, Ctrl-C would wait for a blocking read, as from a terminal.
        signal.signal(signal.SIGINT, _interrupt)
    try:
        policy = Policy.parse(arguments.checks, tier=arguments.tier)
        with Report(as_json=arguments.json) as report:
            asyncio.run(inspect(arguments.files, policy, arguments.max_bytes, report))
    except (ValueError, WorkerFailedError) as error:
        return _give_up(error)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _abandon_output()  # its reader has gone
        return SOME_BROKEN
    except OSError as error:
        _abandon_output()
        return _give_up(f"cannot write the result: {error.strerror or error}")
    return USAGE if report.unreadable else SOME_BROKEN if report.broken else ALL_INTACT


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _abandon_output() -> None:
    """Keep Python from flushing the output again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _give_up(why: object) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"docwarden inspect: {why}\n")
    return USAGE
