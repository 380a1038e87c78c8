"""Where the corpus of valid documents comes from.

Packages are fetched by their ordinary clients; `made.py` adds files of programs that are installed
here. A source gives at most `PER_SOURCE_AND_TYPE` files of one type, so that none dominates.
"""

from typing import Final

PER_SOURCE_AND_TYPE: Final = 60

DEBIAN_PACKAGES: Final = (
    "asymptote-doc",
    "bash-doc",
    "fonts-linuxlibertine",
    "gnome-backgrounds",
    "gnuplot-doc",
    "groff",
    "imagemagick-6-doc",
    "libjs-jquery-ui",
    "libtiff-doc",
    "mate-backgrounds",
    "octave-doc",
    "oxygen-icon-theme",
    "pari-doc",
    "pidgin-data",
    "python-reportlab-doc",
    "qpdf",
    "r-doc-pdf",
    "tango-icon-theme",
    "valgrind",
)
"""Manuals by LaTeX, groff, Texinfo, FOP and ReportLab; icons and pictures by many hands."""

# Read by `pip download`: sdists whose tests, and wheels whose data, hold documents.
PYPI_SDISTS: Final = (
    "fpdf2==2.8.9",
    "hachoir==3.4.0",
    "img2pdf==0.6.3",
    "ocrmypdf==17.13.0",
    "pdfminer.six==20260107",
    "pdfplumber==0.11.10",
    "piexif==1.1.3",
    "pikepdf==10.18.0",
    "pillow==13.0.0",
    "pypdf==7.1.1",
    "reportlab==5.1.0",
    "thumbor==7.8.0",
)
PYPI_WHEELS: Final = ("matplotlib==3.11.2", "scikit-image==0.26.0")

DEBIAN_TOOLS: Final = (
    "chromium",
    "fonts-dejavu-core",
    "gifsicle",
    "imagemagick",
    "jpeginfo",
    "libjpeg-turbo-progs",
    "libreoffice-calc-nogui",
    "libreoffice-draw-nogui",
    "libreoffice-writer-nogui",
    "libtiff-tools",
    "pngcheck",
    "poppler-utils",
    "qpdf",
    "webp",
)
"""What the judges and makers need; `assemble.py` says which of them is missing."""
