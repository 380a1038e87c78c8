"""Prepare the root of the runtime image: only what the gateway needs, and nothing to work with.

It runs in the build stage, as `python3 root.py --venv /opt/docwarden --root /rootfs`. It copies the
files of a few Debian packages and the virtual environment, leaves out what is never used, compiles
every module and gives every file the same time, so that equal inputs make equal bytes.

There is no shell, no package manager, no compiler and no pip in the result. What came from Debian
is recorded in /var/lib/dpkg/status.d, where image scanners look for it.
"""

import argparse
import compileall
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

PACKAGES = (
    "base-files",  # /etc/os-release: what scanners know the distribution by; the merged /usr
    "ca-certificates",  # rediss:// and https:// upstreams
    "libbz2-1.0",
    "libc6",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "liblzma5",
    "libpython3.13-minimal",
    "libpython3.13-stdlib",
    "libssl3t64",
    "libstdc++6",  # pikepdf
    "libuuid1",
    "libzstd1",  # libssl3t64
    "media-types",
    "netbase",
    "python3.13-minimal",
    "zlib1g",
)

# Paths below the root that nothing of the gateway opens. image/tests read every supported format,
# trace, and talk to Redis, so that a wrong line here shows.
LEFT_OUT = (
    # Debian
    "usr/share/doc/*/[!c]*",
    "usr/share/doc/*/changelog*",
    "usr/share/doc/*/c[!oh]*",
    "usr/share/lintian",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/ca-certificates",  # the bundle is made of them
    "usr/sbin",
    "usr/lib/*/gconv",  # character sets of iconv; Python brings its own
    "usr/lib/*/perl*",
    "usr/lib/*/ossl-modules",
    "usr/lib/*/engines-3",
    "usr/lib/python3.13/ensurepip",  # pip
    "usr/lib/python3.13/idlelib",
    "usr/lib/python3.13/pydoc_data",
    "usr/lib/python3.13/tkinter",
    "usr/lib/python3.13/turtledemo",
    "usr/lib/python3.13/_pyrepl",
    "usr/lib/python3.13/test",
    "usr/lib/python3.13/lib-dynload/_dbm*",  # their libraries are not here
    "usr/lib/python3.13/lib-dynload/_curses*",
    "usr/lib/python3.13/lib-dynload/_sqlite3*",
    "usr/lib/python3.13/lib-dynload/_crypt*",
    "usr/lib/python3.13/lib-dynload/_ctypes_test*",
    "usr/lib/python3.13/lib-dynload/_test*",
    "usr/lib/python3.13/lib-dynload/_xx*",
    "usr/lib/python3.13/lib-dynload/readline*",
    # The virtual environment
    "{venv}/bin/[!dp]*",
    "{venv}/bin/dot*",
    "{venv}/bin/pyg*",
    "{venv}/include",
    "{venv}/share",
    "{site}/*/tests",
    "{site}/*/*/tests",
    "{site}/lxml/*.h",
    "{site}/lxml/html",
    "{site}/lxml/includes",
    "{site}/lxml/isoschematron",
    "{site}/lxml/objectify*",
    "{site}/numpy/_core/_simd*",  # of numpy's own tests
    "{site}/numpy/_core/_*_tests*",
    "{site}/numpy/_core/include",
    "{site}/numpy/_core/lib",
    "{site}/numpy/_pyinstaller",
    "{site}/numpy/f2py",
    "{site}/numpy/fft",  # these load when asked for; simplejpeg needs arrays alone
    "{site}/numpy/ma",
    "{site}/numpy/polynomial",
    "{site}/numpy/random",
    "{site}/numpy/testing",
    "{site}/pygments/lexers/[!_]*",  # rich shows tables here, no program text
    "{site}/PIL/_avif*",  # formats that the gateway does not serve
    "{site}/PIL/_imagingft*",  # drawing text
    "{site}/pillow.libs/libavif*",
    "{site}/pillow.libs/libfreetype*",
    "{site}/pillow.libs/libharfbuzz*",
    "{site}/pillow.libs/libbrotli*",
    "{site}/pillow.libs/libpng*",
)
LEFT_OUT_OF_PACKAGES = ("__pycache__", "*.pyi", "*.pyx", "*.pxd", "*.c", "*.h", "*.hpp", "*.a")

USER = "docwarden:x:65532:65532:docwarden:/:/nonexistent\n"
GROUP = "docwarden:x:65532:\n"


def main() -> None:
    """Build the root."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--venv", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    options = parser.parse_args()
    root: Path = options.root
    for package in PACKAGES:
        copy_package(package, root)
    shutil.copytree(options.venv, below(root, options.venv), symlinks=True)
    write_certificates(root)
    leave_out(root, options.venv)
    strip_symbols(below(root, options.venv))
    write_accounts(root)
    compile_modules(root)
    set_times(root, int(os.environ["SOURCE_DATE_EPOCH"]))


def below(root: Path, path: Path) -> Path:
    """Return where the absolute `path` lies below `root`."""
    return root / path.relative_to("/")


def copy_package(package: str, root: Path) -> None:
    """Copy the files of an installed Debian package, and leave a record for scanners."""
    listed = subprocess.run(
        ["dpkg-query", "--listfiles", package], check=True, capture_output=True, text=True
    )
    for line in listed.stdout.splitlines():
        source = Path(line)
        if not source.is_absolute() or not os.path.lexists(source):
            continue  # a slim base image leaves documentation out
        target = below(root, source)
        if source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(target):
                target.symlink_to(source.readlink())
        elif source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    # Packages of one source share the file by a link, to a package that may not be here.
    licence = Path("/usr/share/doc", package, "copyright").resolve(strict=True)
    below(root, licence).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(licence, below(root, licence))
    status = subprocess.run(
        ["dpkg-query", "--status", package], check=True, capture_output=True, text=True
    )
    records = root / "var/lib/dpkg/status.d"
    records.mkdir(parents=True, exist_ok=True)
    (records / package).write_text(status.stdout)


def write_certificates(root: Path) -> None:
    """Write the bundle of certificate authorities, as update-ca-certificates does."""
    folder = root / "etc/ssl/certs"
    folder.mkdir(parents=True, exist_ok=True)
    authorities = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    texts = (authority.read_text().rstrip("\n") + "\n" for authority in authorities)
    (folder / "ca-certificates.crt").write_text("".join(texts))


def leave_out(root: Path, venv: Path) -> None:
    """Remove what nothing uses. A pattern that matches nothing is left from an older release."""
    (site,) = below(root, venv).glob("lib/python3.*/site-packages")
    names = {"venv": venv.relative_to("/"), "site": site.relative_to(root)}
    for pattern in LEFT_OUT:
        remove(root.glob(pattern.format_map(names)))
    for pattern in LEFT_OUT_OF_PACKAGES:
        remove(site.rglob(pattern))


def remove(paths: Iterator[Path]) -> None:
    """Remove files and folders."""
    for path in list(paths):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)  # a folder may be linked to another


def strip_symbols(venv: Path) -> None:
    """Strip extension modules, of which some come with tens of megabytes of symbols.

    What lies in a folder `*.libs` was rewritten by the tool that bundled it, and may not survive.
    """
    modules = [path for path in venv.rglob("*.so") if not path.parent.name.endswith(".libs")]
    subprocess.run(["strip", "--strip-unneeded", *modules], check=True)


def write_accounts(root: Path) -> None:
    """Write the one account, and how names are looked up."""
    etc = root / "etc"
    (etc / "passwd").write_text(USER)
    (etc / "group").write_text(GROUP)
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files dns\n")
    (root / "tmp").mkdir(mode=0o1777, exist_ok=True)
    (root / "tmp").chmod(0o1777)


def compile_modules(root: Path) -> None:
    """Compile every module; the file system is read-only later, and the start is quicker."""
    for folder in (root / "usr/lib/python3.13", root / "opt"):
        done = compileall.compile_dir(
            folder,
            quiet=1,
            stripdir=str(root),
            prependdir="/",
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
            force=True,
        )
        if not done:
            raise SystemExit(f"{folder} has a module that does not compile")


def set_times(root: Path, seconds: int) -> None:
    """Give every file and folder one time."""
    for path in (root, *root.rglob("*")):
        os.utime(path, (seconds, seconds), follow_symlinks=False)


if __name__ == "__main__":
    main()
