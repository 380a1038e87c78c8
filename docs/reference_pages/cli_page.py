"""Every command, from the argument parsers."""

import argparse
import importlib
import re
from collections.abc import Mapping
from typing import Final

from docwarden.cli import main as cli
from reference_pages.markdown import page, table

_INTRODUCTION: Final = """\
`docwarden COMMAND`, or `python -m docwarden COMMAND`; from a clone, `.venv/bin/docwarden COMMAND`.
`--help` prints the same help, `--version` the version. Wrong usage exits with status 2."""

# Some help texts name the default themselves, which has a column here.
_DEFAULT: Final = re.compile(r"\s*\(default:? (.*)\)")


def cli_page() -> str:
    """Return the page."""
    commands = command_table()
    rows = [
        (f"[`docwarden {name}`](#docwarden-{name})", about)
        for name, (_, about, _) in commands.items()
    ]
    return page(
        "Commands",
        "docwarden.cli.main and the commands' modules",
        _INTRODUCTION,
        table(("command", "does"), rows),
        *(_command(name, *row) for name, row in commands.items()),
    )


def command_table() -> Mapping[str, tuple[str, str, str]]:
    """Return each command's module, what it does, and an example."""
    return cli.COMMANDS


def _command(name: str, module: str, about: str, example: str) -> str:
    parser = argparse.ArgumentParser(description=f"{about.capitalize()}.", add_help=False)
    code = importlib.import_module(module)
    code.configure(parser)
    actions = parser._actions  # noqa: SLF001 - argparse has no public list of arguments
    told = [action for action in actions if action.help != argparse.SUPPRESS]
    arguments = table(("argument", "default", "meaning"), map(_argument, told))
    paragraphs = [
        f"## docwarden {name}",
        str(parser.description),
        f"```sh\n{example}\n```",
        arguments,
    ]
    epilog = parser.epilog or ""
    if epilog:
        paragraphs.append(epilog)
    if "Exit status" not in epilog:
        # What `run` promises names the exit statuses.
        paragraphs.append((code.run.__doc__ or "").partition("\n")[0])
    return "\n\n".join(paragraphs)


def _argument(action: argparse.Action) -> tuple[str, str, str]:
    choices = "|".join(map(str, action.choices or ()))
    word = str(action.metavar or choices or action.dest.upper())
    if action.option_strings:
        word = " ".join(filter(None, (action.option_strings[-1], word * (action.nargs != 0))))
    help_text = (action.help or "") % vars(action)
    told = _DEFAULT.search(help_text)
    default = told[1] if told else action.default
    shown = "" if default is None or default is False or default in ("", []) else f"`{default}`"
    return f"`{word}`", shown, _DEFAULT.sub("", help_text)
