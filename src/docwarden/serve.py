"""`docwarden serve`: the gateway."""

import argparse
import asyncio

import uvloop

from docwarden.allocator import tune_allocator
from docwarden.app import App, StartError
from docwarden.cli import complain
from docwarden.logs import Log, open_log
from docwarden.settings import SettingError, Settings, load
from docwarden.store.redis import RedisMissingError


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options; everything else is a DOCWARDEN_ variable."""
    parser.add_argument("--listen", metavar="HOST:PORT", help="overrides DOCWARDEN_LISTEN")
    parser.add_argument(
        "--admin-listen", metavar="HOST:PORT", help="overrides DOCWARDEN_ADMIN_LISTEN"
    )
    parser.add_argument("--upstream-url", metavar="URL", help="overrides DOCWARDEN_UPSTREAM_URL")
    parser.epilog = "Settings are DOCWARDEN_ variables: `docwarden config` lists them."


def overrides(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the settings that the command line gives, by field name."""
    names = ("listen", "admin_listen", "upstream_url")
    given = {name: getattr(arguments, name, None) for name in names}
    return {name: value for name, value in given.items() if value is not None}


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal; return 0, 1 when requests had to be cut off, 2 for a wrong setting."""
    try:
        settings = load(overrides(arguments))
    except SettingError as error:
        return complain(str(error))
    tune_allocator()
    log = open_log(format_name=settings.log_format, level=settings.log_level)
    try:
        return uvloop.run(_serve(settings, log))
    except (StartError, RedisMissingError) as error:
        return complain(str(error))
    finally:
        log.close()


async def _serve(settings: Settings, log: Log) -> int:
    asyncio.get_running_loop().set_debug(False)
    return await App(settings, log).run()
