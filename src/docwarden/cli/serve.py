"""`docwarden serve`: the gateway."""

import argparse
import socket
import sys
from typing import Final

import uvloop

from docwarden.cli.main import complain
from docwarden.net.allocator import tune_allocator
from docwarden.process.defect_log import send_diagnostics_to
from docwarden.process.lifecycle import App, StartError
from docwarden.process.workers.worker import end_with_parent
from docwarden.settings.loading import SettingError, load
from docwarden.settings.settings import Settings
from docwarden.telemetry.logs import Log, open_log

# Its descriptor would be reused, and the log written to the first connection.
NO_OUTPUT: Final = "standard output is closed, but log events go there; redirect it to /dev/null"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options; everything else is a DOCWARDEN_ variable."""
    parser.add_argument("--listen", metavar="HOST:PORT", help="overrides DOCWARDEN_LISTEN")
    parser.add_argument(
        "--admin-listen", metavar="HOST:PORT", help="overrides DOCWARDEN_ADMIN_LISTEN"
    )
    parser.add_argument("--upstream-url", metavar="URL", help="overrides DOCWARDEN_UPSTREAM_URL")
    # Set by the supervisor of several workers: the descriptor of this end of the channel.
    parser.add_argument("--channel", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    parser.epilog = "Settings are DOCWARDEN_ variables: `docwarden config` lists them."


def overrides(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the settings that the command line gives, by field name."""
    names = ("listen", "admin_listen", "upstream_url")
    given = {name: getattr(arguments, name, None) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal; return 0, 1 if requests had to be cut off, 2 for an invalid setting."""
    try:
        settings = load(overrides(arguments))
    except SettingError as error:
        return complain(str(error))
    if sys.stdout is None:
        return complain(NO_OUTPUT)
    several = settings.workers > 1 or arguments.channel is not None
    log = open_log(format_name=settings.log_format, level=settings.log_level, shared=several)
    try:
        if settings.workers > 1 and arguments.channel is None:
            return uvloop.run(_supervise(settings, log, _passed_on(arguments)))
        tune_allocator()
        return uvloop.run(_serve(settings, log, arguments.channel, arguments.parent))
    except StartError as error:
        return complain(str(error))
    finally:
        log.close()


def _passed_on(arguments: argparse.Namespace) -> list[str]:
    """Return the options to pass on to workers."""
    given = overrides(arguments).get("upstream_url")
    return ["--upstream-url", given] if given else []


async def _supervise(settings: Settings, log: Log, options: list[str]) -> int:
    from docwarden.process.workers.supervisor import Supervisor  # noqa: PLC0415 - one worker needs none

    send_diagnostics_to(log)
    return await Supervisor(settings, log, options=options).run()


async def _serve(settings: Settings, log: Log, descriptor: int | None, parent: int) -> int:
    send_diagnostics_to(log)
    if descriptor is None:
        return await App(settings, log).run()
    end_with_parent(parent)
    return await App(settings, log, channel=socket.socket(fileno=descriptor)).run()
