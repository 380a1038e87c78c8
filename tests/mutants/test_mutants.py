"""One byte changed: what a format's own tool complains about is not called intact.

Run by `make test-mutants`. The tools are the outside judges: djpeg, `tiffinfo -D`, gifsicle. Every
seed makes other mutants; the shares below hold for any.
"""

import os
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, ImageDraw

from docwarden.integrity.checks import Mode
from docwarden.integrity.deep.decoders import load_decoder
from docwarden.integrity.policy import Policy
from docwarden.integrity.tiers import inspect_bytes

MUTANTS = 200
SEED = int(os.environ.get("DOCWARDEN_MUTANTS_SEED", "20"))
POLICY = Policy()
TOOLS = {
    "jpeg": ("djpeg", "-outfile", os.devnull),
    "tiff": ("tiffinfo", "-D"),
    "gif": ("gifsicle", "-U", "-O3", "-o", os.devnull),
}
MAX_SHARE = {"jpeg": 0.05, "tiff": 0.05, "gif": 0.25}


def _fax(saved, size):
    page = Image.new("1", size, 1)
    pen = ImageDraw.Draw(page)
    for y in range(20, size[1] - 20, 20):
        pen.text((20, y), f"the quick brown fox jumps over line {y} " * 3, fill=0)
    return saved(page, "TIFF", compression="group4")


@pytest.fixture(scope="module")
def originals(documents, saved, picture):
    """Return by format documents and where the bytes stand that a mutant changes."""

    def before_scan(data):
        return data, (2, data.index(b"\xff\xda"))

    still = saved(picture("P", (200, 150)), "GIF")
    gifs = (documents["gif"], still)
    faxes = (_fax(saved, (864, 1100)), _fax(saved, (400, 500)))
    return {
        "jpeg": [
            before_scan(documents["jpeg"]),
            before_scan(documents["jpeg-progressive"]),
            before_scan(saved(Image.linear_gradient("L").resize((64, 48)), "JPEG", quality=85)),
        ],
        "tiff": [(fax, (8, len(fax))) for fax in faxes],
        "gif": [(gif, (gif.index(b",", 13 + 768), len(gif) - 1)) for gif in gifs],
    }


def _mutants(originals, seed):
    rng = random.Random(seed)
    for number in range(MUTANTS):
        data, (start, end) = originals[number % len(originals)]
        at = rng.randrange(start, end)
        yield data[:at] + bytes([data[at] ^ rng.randrange(1, 256)]) + data[at + 1 :]


def _is_refused(data):
    media_type, findings = inspect_bytes(data, POLICY)
    checks = [finding.check for finding in findings]
    if media_type is not None and not any(POLICY.modes[c] is Mode.ENFORCE for c in checks):
        checks += [reason.check for reason, _ in load_decoder(media_type)(data, POLICY.tier)]
    return any(POLICY.modes[check] is Mode.ENFORCE for check in checks)


def _complains(tool, path):
    done = subprocess.run([*tool, path], capture_output=True, check=False, timeout=60)
    return done.returncode != 0 or bool(done.stderr.strip())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", TOOLS)
def test_what_the_format_s_tool_complains_about_is_not_called_intact(originals, tmp_path, kind):
    mutants = list(_mutants(originals[kind], SEED))
    paths = [tmp_path / f"{number}.{kind}" for number in range(len(mutants))]
    for path, mutant in zip(paths, mutants, strict=True):
        path.write_bytes(mutant)
    with ThreadPoolExecutor(2) as pool:
        complaints = list(pool.map(lambda path: _complains(TOOLS[kind], path), paths))
    complained = [mutant for mutant, bad in zip(mutants, complaints, strict=True) if bad]
    missed = sum(not _is_refused(mutant) for mutant in complained)
    sys.stdout.write(f"{kind}: {missed} of {len(complained)} called intact, seed {SEED}\n")
    assert len(complained) >= MUTANTS // 8
    assert missed <= MAX_SHARE[kind] * len(complained)
