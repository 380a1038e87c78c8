"""The reference page agrees with the code."""

import argparse
from pathlib import Path

import pytest

from docwarden.cli import simulate as command
from docwarden.simulator.behaviour import Behaviour
from docwarden.simulator.documents import MEDIA_TYPES
from docwarden.simulator.faults.fault import Fault
from docwarden.simulator.faults.table import FAULTS

PAGE = (Path(__file__).parents[3] / "docs/reference/simulator.md").read_text(encoding="utf-8")


def row(fault: Fault) -> str:
    parameter = f"{fault.unit}, `{fault.default}`" if fault.unit else ""
    example = f"/fault/{fault.name}/{fault.default + '/' if fault.unit else ''}7"
    return f"| `{fault.name}` | {parameter} | `{example}` | {fault.summary} |"


@pytest.mark.parametrize("name", FAULTS)
def test_fault_has_its_row_in_the_page(name: str) -> None:
    assert row(FAULTS[name]) in PAGE.splitlines()


def test_page_has_no_fault_that_the_code_lacks() -> None:
    rows = [
        line for line in PAGE.splitlines() if line.startswith("| `") and "| `/fault/" in line[1:]
    ]
    assert len(rows) == len(FAULTS)


def test_every_flag_field_and_kind_is_in_the_page() -> None:
    parser = argparse.ArgumentParser(add_help=False)
    command.configure(parser)
    told = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    flags = [option for action in told for option in action.option_strings]
    for word in (*flags, *Behaviour().as_json(), *MEDIA_TYPES):
        assert f"`{word}" in PAGE, word
