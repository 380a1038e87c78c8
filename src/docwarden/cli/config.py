"""`docwarden config`: the effective settings and where each came from."""

import argparse

import orjson

from docwarden.cli.main import complain, put
from docwarden.settings.loading import SettingError, load
from docwarden.settings.settings import describe


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Print every setting; return 2 if one is invalid."""
    try:
        rows = describe(load())
    except SettingError as error:
        return complain(str(error))
    if arguments.json:
        shown = {row.variable: {"value": row.value, "origin": row.origin} for row in rows}
        put(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode() + "\n")
        return 0
    names = max(len(row.variable) for row in rows)
    values = max(len(row.value) for row in rows)
    lines = (f"{row.variable:<{names}}  {row.value:<{values}}  {row.origin}\n" for row in rows)
    put("".join(lines))
    return 0
