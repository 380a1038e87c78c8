"""Assemble the corpus: fetch the sources, make files, keep those that the outside judges accept.

    python -m tests.corpus.assemble .cache/corpus

What is there already is not fetched or judged again. The result is `manifest.json` in the folder,
which `test_corpus.py` reads.
"""

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.corpus.judges import is_valid, kind_of
from tests.corpus.made import make_all
from tests.corpus.sources import (
    DEBIAN_PACKAGES,
    DEBIAN_TOOLS,
    PER_SOURCE_AND_TYPE,
    PYPI_SDISTS,
    PYPI_WHEELS,
)

SUFFIXES = {".pdf", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".tif", ".tiff"}
MAX_BYTES = 32 << 20


def main() -> int:
    """Assemble. Returns the exit status."""
    folder = Path(sys.argv[1]).resolve()
    missing = [tool for tool in DEBIAN_TOOLS if not _installed(tool)]
    if missing:
        sys.stderr.write(f"missing Debian packages: {' '.join(missing)}\n")
        return 1
    found = folder / "found"
    _fetch_debian(folder / "debian", found)
    _fetch_pypi(folder / "pypi", found)
    make_all(folder / "made")
    candidates = [
        *_candidates(found / "debian", "Debian: "),
        *_candidates(found / "pypi", "PyPI: "),
        *_candidates(folder / "made", "made by "),
    ]
    with ThreadPoolExecutor(2) as pool:
        verdicts = pool.map(lambda one: is_valid(Path(one["path"]), one["kind"]), candidates)
        judged = [one | {"valid": valid} for one, valid in zip(candidates, verdicts, strict=True)]
    valid = [one for one in judged if one["valid"]]
    (folder / "manifest.json").write_text(json.dumps(valid, indent=1))
    sys.stdout.write(f"{len(judged)} candidates, {len(valid)} valid by both outside judges\n")
    return 0


def _installed(package: str) -> bool:
    status = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Status}", package],
        capture_output=True,
        text=True,
        check=False,
    )
    return "ok installed" in status.stdout


def _fetch_debian(archives: Path, found: Path) -> None:
    archives.mkdir(parents=True, exist_ok=True)
    for package in DEBIAN_PACKAGES:
        target = found / "debian" / package
        if target.exists():
            continue
        # The sandbox user of apt cannot write here; root may download without it.
        command = ["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package]
        subprocess.run(command, cwd=archives, check=True, capture_output=True)
        part = found / "debian.part" / package
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        subprocess.run(
            ["dpkg-deb", "-x", next(archives.glob(f"{package}_*.deb")), part], check=True
        )
        for packed in part.rglob("*.pdf.gz"):
            if packed.is_file():
                packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        target.parent.mkdir(parents=True, exist_ok=True)
        part.rename(target)


def _fetch_pypi(archives: Path, found: Path) -> None:
    for requirement in (*PYPI_SDISTS, *PYPI_WHEELS):
        name = requirement.partition("==")[0]
        target = found / "pypi" / name
        if target.exists():
            continue
        here = archives / name
        here.mkdir(parents=True, exist_ok=True)
        binary = () if requirement in PYPI_WHEELS else ("--no-binary", ":all:")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *binary]
        subprocess.run([*command, "--dest", here, requirement], check=True)
        part = found / "pypi.part" / name
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        archive = next(file for file in here.iterdir() if file.is_file())
        if archive.suffix in {".whl", ".zip"}:
            zipfile.ZipFile(archive).extractall(part)
        else:
            with tarfile.open(archive) as tar:
                tar.extractall(part, filter="data")
        target.parent.mkdir(parents=True, exist_ok=True)
        part.rename(target)


def _candidates(folder: Path, origin: str) -> Iterator[dict[str, Any]]:
    """Yield files of the six formats, each content once, a bounded number of each source."""
    for source in sorted(folder.iterdir()):
        seen: set[str] = set()
        counts: dict[str, int] = {}
        files = sorted(file for file in source.rglob("*") if file.suffix.lower() in SUFFIXES)
        named = [
            (hashlib.sha256(file.read_bytes()).hexdigest(), file) for file in files if _usable(file)
        ]
        # In the order of their digests: a stable choice that does not favour one sub-folder.
        for digest, file in sorted(named):
            kind = kind_of(file)
            if digest in seen or kind is None or counts.get(kind, 0) >= PER_SOURCE_AND_TYPE:
                continue
            seen.add(digest)
            counts[kind] = counts.get(kind, 0) + 1
            yield {"path": str(file), "source": origin + source.name, "kind": kind}


def _usable(file: Path) -> bool:
    return file.is_file() and not file.is_symlink() and 0 < file.stat().st_size <= MAX_BYTES


if __name__ == "__main__":
    sys.exit(main())
