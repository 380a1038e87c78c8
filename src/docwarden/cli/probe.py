"""`docwarden probe`: health for container checks, without curl."""

import argparse
import http.client
import sys

from docwarden.cli.main import complain, put
from docwarden.settings.loading import SettingError, load

_LONGEST_SECONDS = 3600
_PATHS = {"live": "/livez", "ready": "/readyz", "startup": "/startupz"}
# Where to connect to a listener on all addresses.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not listened on


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument(
        "check",
        nargs="?",
        choices=tuple(_PATHS),
        default="ready",
        help="what to check: ready (default)",
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=2.0, metavar="SECONDS", help="timeout (default: 2)"
    )


def _seconds(text: str) -> float:
    """Parse a timeout that a socket accepts, neither infinite nor NaN."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0 and at most {_LONGEST_SECONDS}")
    return seconds


def run(arguments: argparse.Namespace) -> int:
    """Return 0 if the gateway of these settings is healthy, 1 if it is not."""
    try:
        address = load().admin_listen
    except SettingError as error:
        return complain(str(error))
    host = _ANY.get(address.host, address.host)
    connection = http.client.HTTPConnection(host, address.port, timeout=arguments.timeout)
    try:
        connection.request("GET", _PATHS[arguments.check])
        answer = connection.getresponse()
        body = answer.read(4096).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"docwarden: no answer from {address}: {error}\n")
        return 1
    finally:
        connection.close()
    put(body + "\n")
    return 0 if answer.status == http.HTTPStatus.OK else 1
