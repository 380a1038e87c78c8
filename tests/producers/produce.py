"""Have real programs make documents: a browser, an office, an image editor, the formats' own tools.

    python -m tests.producers.produce .cache/producers

Documents that are there already are not made again. `test_producers.py` serves them.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pikepdf
from PIL import Image

LIMIT_SECONDS: Final = 180
PHOTOGRAPH: Final = (4000, 3000)  # twelve megapixels, what a common camera takes

PAGE: Final = """<!doctype html><html lang=de><meta charset=utf-8><title>Lieferschein</title>
<style>body {{ font-family: "DejaVu Sans", sans-serif }} td {{ border: 1px solid }}</style>
<h1>Lieferschein 529852</h1><p>Grüße aus Köln: 12 € &mdash; «voilà».</p>
<p><img src="{picture}" width=400 alt="a picture"></p>
<table><tr><th>No.<th>Item<th>Price</tr>{rows}</table>"""

CHROMIUM: Final = (
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
)


def main() -> int:
    """Make what is missing. Returns the exit status."""
    folder = Path(sys.argv[1]).resolve()
    work = folder.with_name(f"{folder.name}.work")
    for path in (folder, work):
        path.mkdir(parents=True, exist_ok=True)
    for name, make in MAKERS.items():
        if not (folder / name).exists():
            part = work / name
            make(folder, part)
            shutil.move(part, folder / name)
            sys.stdout.write(f"{name}: {(folder / name).stat().st_size} bytes\n")
    shutil.rmtree(work)
    return 0


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_SECONDS)


def _photograph(_made: Path, target: Path) -> None:
    """Clouds of many scales with a sensor's noise: compresses about like a photograph."""
    width, height = PHOTOGRAPH
    _run(
        *("convert", "-seed", "529852", "-size", f"{width // 4}x{height // 4}", "plasma:fractal"),
        *("-resize", f"{width}x{height}!", "-attenuate", "0.15", "+noise", "Gaussian"),
        *("-depth", "8", "-colorspace", "sRGB", target),
    )


def _convert(*options: str) -> Callable[[Path, Path], None]:
    return lambda made, target: _run("convert", made / "photograph.png", *options, target)


def _camera_jpeg(made: Path, target: Path) -> None:
    """Write what a telephone writes: progressive or not, with Exif and a resolution."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Maker", "Model", 6  # make, model, orientation
    with Image.open(made / "photograph.png") as image:
        image.save(target, quality=92, progressive=True, exif=exif, dpi=(300, 300))


def _webp(*options: str) -> Callable[[Path, Path], None]:
    def make(made: Path, target: Path) -> None:
        _run("cwebp", "-quiet", *options, made / "photograph.png", "-o", target)

    return make


def _tiff(made: Path, target: Path) -> None:
    plain = target.with_suffix(".plain.tif")
    _run("convert", made / "photograph.png", "-compress", "none", plain)
    _run("tiffcp", "-c", "zip:2", "-r", "64", plain, target)


def _page(made: Path, work: Path) -> Path:
    picture = work / "picture.jpg"
    if not picture.exists():
        _run("convert", made / "photograph.jpg", "-resize", "10%", picture)
    rows = "".join(f"<tr><td>{n}<td>item {n * n}<td>{n * 7 / 5:.2f} €</tr>" for n in range(1, 90))
    page = work / "page.html"
    page.write_text(PAGE.format(picture=picture.name, rows=rows), encoding="utf-8")
    return page


def _chromium(option: str) -> Callable[[Path, Path], None]:
    def make(made: Path, target: Path) -> None:
        page = _page(made, target.parent)
        profile = target.parent / f"profile-{target.stem}"
        _run(*CHROMIUM, f"--user-data-dir={profile}", f"--{option}={target}", page.as_uri())

    return make


def _libreoffice(made: Path, target: Path) -> None:
    page, work = _page(made, target.parent), target.parent
    home = f"-env:UserInstallation={(work / 'office').as_uri()}"

    def convert(target: str, source: Path, *options: str) -> None:
        _run("soffice", home, *options, "--convert-to", target, "--outdir", work, source)

    convert("odt:writer8", page, "--infilter=HTML (StarWriter)")
    convert("pdf:writer_pdf_Export", work / "page.odt")
    shutil.move(work / "page.pdf", target)


def _qpdf(source: str, *options: str) -> Callable[[Path, Path], None]:
    return lambda made, target: _run("qpdf", *options, made / source, target)


def _updated(made: Path, target: Path) -> None:
    """Append an update, as editors that save incrementally do: the information dictionary anew."""
    source = made / "chromium.pdf"
    data = source.read_bytes()
    with pikepdf.open(source) as pdf:
        size, root, info = int(pdf.trailer.Size), pdf.Root.objgen[0], pdf.trailer.Info.objgen[0]
    previous = data[data.rfind(b"startxref") + 9 :].split()[0].decode()
    at = len(data)
    update = f"{info} 0 obj\n<< /Title (Lieferschein, revised) /Producer (an editor) >>\nendobj\n"
    table = f"xref\n{info} 1\n{at:010} 00000 n \ntrailer\n"
    trailer = f"<< /Size {size} /Root {root} 0 R /Info {info} 0 R /Prev {previous} >>\n"
    end = f"startxref\n{at + len(update)}\n%%EOF\n"
    target.write_bytes(data + (update + table + trailer + end).encode())


# In the order in which they build on each other.
MAKERS: Final[dict[str, Callable[[Path, Path], None]]] = {
    "photograph.png": _photograph,
    "photograph.jpg": _convert("-quality", "90", "-sampling-factor", "4:2:0"),
    "photograph-progressive.jpg": _camera_jpeg,
    "photograph.gif": _convert("-colors", "256"),
    "photograph.webp": _webp("-q", "85"),
    "photograph-lossless.webp": _webp("-lossless", "-z", "1"),
    "photograph.tif": _tiff,
    "chromium.pdf": _chromium("print-to-pdf"),
    "chromium.png": _chromium("screenshot"),
    "libreoffice.pdf": _libreoffice,
    "qpdf-linearized.pdf": _qpdf("libreoffice.pdf", "--linearize"),
    "qpdf-object-streams.pdf": _qpdf("libreoffice.pdf", "--object-streams=generate"),
    "qpdf-encrypted.pdf": _qpdf("chromium.pdf", "--encrypt", "user", "owner", "256", "--"),
    "updated.pdf": _updated,
}


if __name__ == "__main__":
    sys.exit(main())
