"""Documents that programs on this machine write: office, browser, command-line tools, libraries."""

import random
import subprocess
from pathlib import Path
from typing import Final

import pikepdf
from PIL import Image

LIMIT_SECONDS: Final = 180

_PAGE: Final = """<!doctype html><meta charset=utf-8><title>Page</title>
<h1>Ein Blatt</h1><p>Text with ä, ß, € and 漢字.</p>
<div style="width:200px;height:80px;background:linear-gradient(red,blue)"></div>
<svg width=120 height=120><circle cx=60 cy=60 r=50 fill=green fill-opacity=.4 /></svg>
<table border=1>{rows}</table>"""

_CHROMIUM: Final = (
    "chromium",
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def make_all(folder: Path) -> None:
    """Fill `folder` with one sub-folder per program."""
    for name, maker in (
        ("pillow", _by_pillow),
        ("imagemagick", _by_imagemagick),
        ("chromium", _by_chromium),
        ("libreoffice", _by_libreoffice),
        ("qpdf-tool", _by_qpdf),
        ("tools", _by_tools),
    ):
        target = folder / name
        if not target.exists():
            work = folder / f"{name}.part"
            work.mkdir(parents=True, exist_ok=True)
            maker(work, folder)
            work.rename(target)


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_SECONDS)


def _picture(width: int, height: int) -> Image.Image:
    noise = random.Random(width * height).randbytes(width * height * 3)
    gradient = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    return Image.blend(gradient, Image.frombytes("RGB", (width, height), noise), 0.2)


def _by_pillow(work: Path, _made: Path) -> None:
    image = _picture(301, 203)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        converted = image.convert("L").convert("I").convert(mode) if mode == "I;16" else image
        converted = converted if mode == "I;16" else image.convert(mode)
        converted.save(work / f"mode-{mode.replace(';', '')}.png")
        converted.save(work / f"mode-{mode.replace(';', '')}.tiff")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        image.save(work / f"{compression}.tiff", compression=compression)
    image.convert("1").save(work / "group4.tiff", compression="group4")
    image.save(work / "big.tiff", big_tiff=True)
    frames = [image.rotate(angle) for angle in (0, 90, 180)]
    for name in ("pages.tiff", "animation.gif", "animation.png", "animation.webp", "pages.pdf"):
        frames[0].save(work / name, save_all=True, append_images=frames[1:])
    for mode in ("L", "RGB", "CMYK"):
        image.convert(mode).save(work / f"mode-{mode}.jpg")
        image.convert(mode).save(work / f"mode-{mode}-progressive.jpg", progressive=True)
    for subsampling in (0, 1, 2):
        image.save(work / f"sub-{subsampling}.jpg", subsampling=subsampling, quality=93)
    image.save(work / "restarts.jpg", restart_marker_rows=1)
    image.save(work / "lossless.webp", lossless=True)
    image.convert("RGBA").save(work / "alpha.webp", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0")
    image.convert("P").save(work / "interlaced.gif", interlace=1)
    image.convert("P").save(work / "transparent.gif", transparency=3, comment=b"a comment")


def _by_imagemagick(work: Path, made: Path) -> None:
    source = made / "pillow" / "mode-RGB.png"
    for name, options in {
        "interlaced.png": "-interlace PNG",
        "deep.png": "-depth 16",
        "palette.png": "-colors 13 -type Palette",
        "bits.png": "-monochrome",
        "alpha.png": "-alpha set -channel A -evaluate set 50%",
        "progressive.jpg": "-interlace JPEG -quality 80",
        "arithmetic-free.jpg": "-sampling-factor 4:1:1",
        "grey.jpg": "-colorspace Gray",
        "cmyk.jpg": "-colorspace CMYK",
        "plain.gif": "-colors 64",
        "interlaced.gif": "-interlace GIF",
        "lossy.webp": "-quality 40",
        "lossless.webp": "-define webp:lossless=true",
        "lzw.tiff": "-compress LZW",
        "zip.tiff": "-compress Zip",
        "msb.tiff": "-endian MSB",
        "tiled.tiff": "-define tiff:tile-geometry=64x64",
        "cmyk.tiff": "-colorspace CMYK -compress RLE",
        "deep.tiff": "-depth 16",
    }.items():
        _run("convert", source, *options.split(), work / name)
    _run("convert", source, source, source, "-delay", "10", work / "three.gif")
    _run("convert", source, source, work / "two.tiff")


def _by_chromium(work: Path, _made: Path) -> None:
    for rows in (1, 40, 400):
        page = work / f"{rows}.html"
        page.write_text(_PAGE.format(rows="<tr><td>cell<td>of a table" * rows))
        profile = f"--user-data-dir={work / 'profile'}"
        pdf, png = f"--print-to-pdf={work}/{rows}.pdf", f"--screenshot={work}/{rows}.png"
        _run(*_CHROMIUM, profile, pdf, page.as_uri())
        _run(*_CHROMIUM, profile, png, page.as_uri())


def _by_libreoffice(work: Path, _made: Path) -> None:
    home = f"-env:UserInstallation={(work / 'profile').as_uri()}"
    page, sheet = work / "letter.html", work / "sheet.csv"
    page.write_text(_PAGE.format(rows="<tr><td>cell<td>of a table" * 30))
    sheet.write_text("".join(f"{n},{n * n},{n / 7}\n" for n in range(300)))

    def convert(target: str, source: Path, *options: str) -> None:
        _run("soffice", home, *options, "--convert-to", target, "--outdir", work, source)

    convert("odt:writer8", page, "--infilter=HTML (StarWriter)")
    convert("pdf:calc_pdf_Export", sheet)
    odt = work / "letter.odt"
    for name, options in {
        "plain": "{}",
        "pdfa": '{"SelectPdfVersion":{"type":"long","value":"2"}}',
        "tagged": '{"UseTaggedPDF":{"type":"boolean","value":"true"}}',
        "encrypted": '{"EncryptFile":{"type":"boolean","value":"true"},'
        '"RestrictPermissions":{"type":"boolean","value":"true"},'
        '"PermissionPassword":{"type":"string","value":"owner"}}',
    }.items():
        convert(f"pdf:writer_pdf_Export:{options}", odt)
        (work / "letter.pdf").rename(work / f"letter-{name}.pdf")


def _by_qpdf(work: Path, made: Path) -> None:
    sources = [made / "chromium" / "40.pdf", made / "libreoffice" / "letter-plain.pdf"]
    for number, source in enumerate(sources):
        for name, options in {
            "linearized": "--linearize",
            "object-streams": "--object-streams=generate",
            "no-object-streams": "--object-streams=disable",
            "linearized-streams": "--linearize --object-streams=generate",
            "expanded": "--stream-data=uncompress --qdf",
            "old": "--force-version=1.3 --object-streams=disable",
            "aes": "--encrypt @ owner 256 --",
            "aes-128": "--encrypt @ owner 128 --use-aes=y --",
            "rc4": "--allow-weak-crypto --encrypt @ owner 40 --",
        }.items():
            words = ["" if word == "@" else word for word in options.split()]
            _run("qpdf", *words, source, work / f"{name}-{number}.pdf")
        _incremental(source, work / f"incremental-{number}.pdf")


def _incremental(source: Path, target: Path) -> None:
    """Append an update by hand: one new object, a table of its own, a trailer with Prev."""
    data = source.read_bytes()
    with pikepdf.open(source) as pdf:
        size, root = int(pdf.trailer.Size), pdf.Root.objgen[0]
    previous = data[data.rfind(b"startxref") + 9 :].split()[0].decode()
    at = len(data)
    update = f"{size} 0 obj\n<< /Note (update) >>\nendobj\n"
    table = f"xref\n{size} 1\n{at:010} 00000 n \ntrailer\n<< /Size {size + 1} /Root {root} 0 R "
    end = f"/Prev {previous} >>\nstartxref\n{at + len(update)}\n%%EOF\n"
    target.write_bytes(data + (update + table + end).encode())


def _by_tools(work: Path, made: Path) -> None:
    """What the formats' own command-line tools write."""
    picture = made / "pillow"
    ppm = work / "picture.ppm"
    _run("convert", picture / "mode-RGB.png", ppm)
    for name, options in {
        "arithmetic": "-arithmetic",
        "optimized": "-optimize",
        "scans": "-progressive -quality 30",
        "rgb": "-rgb",
        "restart": "-restart 2",
    }.items():
        _run("cjpeg", *options.split(), "-outfile", work / f"{name}.jpg", ppm)
    for name, options in {"lossy": "-q 50", "lossless": "-lossless -z 9", "alpha": "-q 70"}.items():
        source = picture / ("mode-RGBA.png" if name == "alpha" else "mode-RGB.png")
        _run("cwebp", "-quiet", *options.split(), source, "-o", work / f"{name}.webp")
    _run("gif2webp", "-quiet", picture / "animation.gif", "-o", work / "animation.webp")
    _run("gifsicle", "-O3", "--lossy=40", picture / "animation.gif", "-o", work / "small.gif")
    _run("gifsicle", "--interlace", picture / "animation.gif", "-o", work / "interlaced.gif")
    for name, options in {
        "tiled": "-t -c lzw",
        "strips": "-s -r 7 -c zip",
        "separate": "-p separate -c packbits",
        "big": "-8",
        "msb": "-B",
        "predictor": "-c lzw:2",
    }.items():
        _run("tiffcp", *options.split(), picture / "mode-RGB.tiff", work / f"{name}.tiff")
    for option in ("-png", "-jpeg", "-tiff"):
        _run("pdftoppm", option, "-r", "50", made / "chromium" / "40.pdf", work / f"page{option}")
    _run("pdftocairo", "-pdf", made / "chromium" / "40.pdf", work / "cairo.pdf")
    ppm.unlink()
