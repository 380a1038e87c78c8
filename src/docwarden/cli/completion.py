"""`docwarden completion SHELL`: a completion script for the shell, from the parsers."""

import argparse

import shtab

from docwarden.cli import main as command_line


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="the shell to complete for")


def run(arguments: argparse.Namespace) -> int:
    """Print the script; return 0."""
    parser = command_line.build_parser(command_line.COMMANDS)
    command_line.put(shtab.complete(parser, shell=arguments.shell) + "\n")
    return 0
