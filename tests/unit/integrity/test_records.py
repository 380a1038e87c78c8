"""One record a format: adding a format is adding its module, and half a record is none."""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import docwarden
from docwarden.integrity.checks import Check
from docwarden.integrity.deep.decoders import load_decoder
from docwarden.integrity.formats.png import FORMAT as PNG
from docwarden.integrity.record import Format
from docwarden.integrity.registry import FORMATS, formats_of

MADE_UP = '''
    """A made-up format: a word, a length, as many bytes, a full stop."""

    from docwarden.integrity.broken import BrokenError
    from docwarden.integrity.checks import CheckSet, Mode
    from docwarden.integrity.record import Format
    from docwarden.integrity.reasons import Reason, ReasonSet


    class MadeUpCheck(CheckSet):
        STRUCTURE = ("made-up-structure", 2, Mode.ENFORCE, "As many bytes as the length says.")


    class MadeUpReason(ReasonSet):
        CUT = ("made-up-cut", MadeUpCheck.STRUCTURE, "It is cut short.")


    def walk(data):
        end = 7 + data[6] + 1
        if end > len(data):
            raise BrokenError(MadeUpReason.CUT, "cut")
        return end, ()


    def decode(data, tier):
        return [(Reason.IMAGE_UNDECODABLE, "a seven")] if b"7" in data else []


    FORMAT = Format(
        name="MADEUP",
        media_type="image/made-up",
        extension="mad",
        signature=rb"MADEUP",
        end_mark=b".",
        walk=walk,
        decoder="docwarden.integrity.formats.made_up:decode",
        checks=MadeUpCheck,
        reasons=MadeUpReason,
    )
'''
DOCUMENTS = {
    "good": (b"MADEUP\x05hello.", None),
    "cut": (b"MADEUP\x09hello.", "made-up-cut"),
    "unmarked": (b"MADEUP\x05hello", "end-missing"),
    "undecodable": (b"MADEUP\x05hell7.", "image-undecodable"),
    "longer": (b"MADEUP\x05hello.and more.", None),
}


@pytest.fixture
def package(tmp_path):
    """Return a folder with a copy of the package that has one module more."""
    shutil.copytree(Path(docwarden.__file__).parent, tmp_path / "docwarden")
    module = tmp_path / "docwarden/integrity/formats/made_up.py"
    module.write_text(textwrap.dedent(MADE_UP))
    return tmp_path


def run(package, *arguments):
    path = os.pathsep.join((str(package), *sys.path))
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        env=os.environ | {"PYTHONPATH": path},
        cwd=package,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_format_is_added_by_its_module_alone(package):
    for name, (data, _) in DOCUMENTS.items():
        (package / f"{name}.mad").write_bytes(data)
    files = [f"{name}.mad" for name in DOCUMENTS]
    done = run(package, "-m", "docwarden", "inspect", "--json", *files)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    told = {line["file"].removesuffix(".mad"): line for line in lines if "file" in line}
    assert {line["media_type"] for line in told.values()} == {"image/made-up"}, done.stderr
    for name, (_, reason) in DOCUMENTS.items():
        assert told[name]["intact"] is (reason is None), name
        assert reason is None or told[name]["reason"] == reason
    page = run(package, "-m", "docwarden.integrity.reference").stdout
    assert "| `made-up-structure` | 2 | MADEUP | enforce |" in page
    assert "| `tail-marker` | 1 | GIF, JPEG, MADEUP, PNG, PDF | enforce |" in page


@pytest.mark.parametrize(
    ("from_", "to", "words"),
    [
        ("made_up:decode", "made_upp:decode", "no module docwarden.integrity.formats.made_upp"),
        ('"docwarden.integrity.formats.made_up:decode"', '""', "no usable decoder"),
        ("image/made-up", "made-up", "no usable media type"),
        ('"mad"', '""', "no usable extension"),
        ('rb"MADEUP"', 'rb""', "the signature of 'MADEUP' matches nothing"),
        ("walk=walk", "walk=None", "has no walk"),
        ("        walk=walk,\n", "", "missing 1 required keyword-only argument: 'walk'"),
        ("image/made-up", "image/png", "declared by two records: image/png"),
        ("made-up-cut", "end-missing", "declared by two records: end-missing"),
    ],
)
def test_what_a_record_lacks_fails_at_import(package, from_, to, words):
    module = package / "docwarden/integrity/formats/made_up.py"
    text = textwrap.dedent(MADE_UP)
    from_ = textwrap.dedent(from_) if not from_.startswith(" ") else from_[4:]
    assert from_ in text
    module.write_text(text.replace(from_, to))
    done = run(package, "-c", "import docwarden.integrity.verifier")
    assert done.returncode == 1
    assert words in done.stderr


@pytest.mark.parametrize("kind", FORMATS, ids=lambda kind: kind.name)
def test_every_record_names_a_decoder_that_exists(kind):
    assert callable(load_decoder(kind.media_type))


def test_no_library_of_a_decoder_is_loaded_with_the_records(tmp_path):
    code = """
        import sys, docwarden.integrity.verifier
        heavy = {"PIL", "pikepdf", "numpy", "simplejpeg", "ctypes"}
        print(sorted(heavy & sys.modules.keys()))
    """
    done = run(tmp_path, "-c", textwrap.dedent(code))
    assert done.stdout.split() == ["[]"], done.stderr


def test_every_format_is_asked_for_the_checks_of_all_and_its_own():
    assert formats_of(Check.EMPTY) == FORMATS
    assert PNG.checks is not None
    assert {formats_of(check) for check in PNG.checks} == {(PNG,)}
    assert {kind.name for kind in formats_of(Check.LEADING_BYTES)} == {"PDF"}


def test_record_is_compared_by_identity():
    assert isinstance(PNG, Format)
    assert len({*FORMATS}) == len(FORMATS)
