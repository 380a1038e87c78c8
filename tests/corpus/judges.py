"""Outside judges: a file is valid when two programs that share no code with docwarden say so.

`qpdf` and `djpeg` stand on the libraries that tier 3 uses, so each type has a judge of another kind
beside them. A judge that warns has not agreed.
"""

import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

LIMIT_SECONDS: Final = 30

SIGNATURES: Final = (
    (b"%PDF-", "pdf"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"RIFF", "webp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
)

Judge = Callable[[Path], bool]


def kind_of(file: Path) -> str | None:
    """Return which of the six formats a file begins like."""
    with file.open("rb") as source:
        head = source.read(12)
    kind = next((kind for signature, kind in SIGNATURES if head.startswith(signature)), None)
    return None if kind == "webp" and head[8:] != b"WEBP" else kind


def is_valid(file: Path, kind: str) -> bool:
    """Say whether both judges of `kind` agree that `file` is valid."""
    return all(judge(file) for judge in _JUDGES[kind])


def _run(*command: str | Path) -> tuple[int, str, str]:
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=LIMIT_SECONDS, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return -1, "", "timeout"
    return done.returncode, done.stdout, done.stderr


def _silent(*command: str | Path) -> bool:
    status, _, errors = _run(*command)
    return status == 0 and not errors.strip()


def _qpdf(file: Path) -> bool:
    return _silent("qpdf", "--check", file)


def _poppler(file: Path) -> bool:
    return _silent("pdfinfo", file) and _silent("pdftotext", "-l", "5", file, "/dev/null")


def _magick(file: Path) -> bool:
    return _silent("convert", "-regard-warnings", file, "null:")


def _pngcheck(file: Path) -> bool:
    return _run("pngcheck", "-q", file)[0] == 0


def _djpeg(file: Path) -> bool:
    return _silent("djpeg", "-strict", "-outfile", "/dev/null", file)


def _jpeginfo(file: Path) -> bool:
    status, output, _ = _run("jpeginfo", "-c", file)
    return status == 0 and "WARNING" not in output and "ERROR" not in output


def _gifsicle(file: Path) -> bool:
    return _silent("gifsicle", "--no-ignore-errors", file, "-o", "/dev/null")


def _webpinfo(file: Path) -> bool:
    return "No error detected" in _run("webpinfo", file)[1]


def _dwebp(file: Path) -> bool:
    if "Number of frames" in _run("webpmux", "-info", file)[1]:
        return True  # dwebp does not read animations; webpmux has just parsed it
    return _run("dwebp", "-quiet", file, "-o", "/dev/null")[0] == 0


def _tiffinfo(file: Path) -> bool:
    return _silent("tiffinfo", "-D", file)


_JUDGES: Final[Mapping[str, tuple[Judge, Judge]]] = {
    "pdf": (_qpdf, _poppler),
    "png": (_pngcheck, _magick),
    "jpeg": (_djpeg, _jpeginfo),
    "gif": (_gifsicle, _magick),
    "webp": (_webpinfo, _dwebp),
    "tiff": (_tiffinfo, _magick),
}
