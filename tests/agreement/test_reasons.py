"""Reasons are a closed set: each code is written in its row, and other code names the row."""

import ast
import functools
import re
from collections import Counter
from pathlib import Path

import pytest

import docwarden
from docwarden.core.errors import Cause
from docwarden.core.reasons import FailureReason, status_reason
from docwarden.integrity.checks import Check
from docwarden.integrity.reasons import Reason
from docwarden.integrity.registry import CHECKS, REASONS

ROOT = Path(docwarden.__file__).parent
KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
CODES = Counter([*Cause, *FailureReason, *REASONS])
"""A body beyond the cap is a finding and a cause of the same code, so that one is there twice."""


@functools.cache
def source():
    """Return the package's calls, each with its place and the texts passed to it, and all texts."""
    calls: list[tuple[str, str, list[str]]] = []
    written: Counter[str] = Counter()
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                given = [text for each in (*node.args, *node.keywords) for text in texts(each)]
                calls.append((node.func.id, f"{path.relative_to(ROOT)}:{node.lineno}", given))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                written[node.value] += 1
    return calls, written


def texts(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.mark.parametrize("code", CODES)
def test_codes_are_kebab_case(code):
    assert KEBAB.fullmatch(code)


def test_every_code_stands_for_one_thing():
    assert {code for code, times in CODES.items() if times > 1} == {Reason.BODY_TOO_LARGE}
    assert {status_reason(status) for status in range(1000)}.isdisjoint(CODES)


def test_no_failure_is_given_its_reason_as_a_text():
    made = [(place, given) for name, place, given in source()[0] if name == "Failure"]
    assert len(made) > 30, "failures were found"
    assert [place for place, given in made if given] == []


def test_only_the_sets_of_reasons_write_codes():
    specific = {*FailureReason, *REASONS} - {Reason.BODY_TOO_LARGE}
    # Some checks have one reason, of the same name.
    allowed = Counter({*specific}) + Counter(check for check in CHECKS if check in specific)
    written = source()[1]
    assert {code: written[code] for code in specific} == allowed


def test_only_one_place_makes_the_reason_for_a_status():
    makers = [place.partition(":")[0] for name, place, _ in source()[0] if name == "StatusReason"]
    assert makers == ["core/reasons.py"]
    assert Check.STATUS not in {reason.check for reason in REASONS}
