"""The programs that the benchmark needs, where they are and which versions they have."""

import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from docwarden import __version__

from sidebyside.processes import BenchError

GO_PROGRAMS: Final = Path(__file__).parent.parent / "peers" / "go"
_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin:/usr/local/go/bin"


@dataclass(frozen=True, slots=True)
class Tools:
    """Paths of programs; None for what is not installed and can be done without."""

    nginx: str
    wrk: str
    haproxy: str | None
    go: str | None
    go_programs: Path
    peers_python: str


def find(build: Path, peers_python: str) -> Tools:
    """Find the programs, and build those in Go.

    Raises:
        BenchError: nginx, wrk, taskset or setpriv is missing, or the Go programs do not build.
    """
    for name in ("nginx", "wrk", "taskset", "setpriv"):
        if _which(name) is None:
            raise BenchError(f"{name} is not installed; `make bench-tools` does")
    go = _which("go")
    programs = build / "bin"
    if go is not None:
        programs.mkdir(parents=True, exist_ok=True)
        built = subprocess.run(
            [go, "build", "-buildvcs=false", "-trimpath", "-o", f"{programs}/", "./..."],
            cwd=GO_PROGRAMS,
            env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": ""},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if built.returncode:
            raise BenchError(f"the Go programs do not build: {built.stderr}")
    return Tools(
        nginx=_which("nginx") or "",
        wrk=_which("wrk") or "",
        haproxy=_which("haproxy"),
        go=go,
        go_programs=programs,
        peers_python=peers_python,
    )


def versions(tools: Tools) -> dict[str, str]:
    """Return the version of everything that takes part."""
    found = {
        "docwarden": f"{__version__} at {_revision()}",
        "Python": f"{sys.version.split()[0]}, {Path(sys.executable).resolve()}, {_optimised()}",
        "nginx": _first_line(tools.nginx, "-v").removeprefix("nginx version: "),
        "wrk": _first_line(tools.wrk, "-v").partition(" Copyright")[0],
    }
    if tools.haproxy:
        found["HAProxy"] = _first_line(tools.haproxy, "-v").split()[2]
    if tools.go:
        found["Go"] = _first_line(tools.go, "version").split()[2]
    own = ", ".join(
        f"{name} {metadata.version(name)}" for name in ("uvloop", "httptools", "zlib-ng")
    )
    found["docwarden's libraries"] = own
    names = ("fastapi", "uvicorn", "httpx", "aiohttp", "uvloop")
    script = f"from importlib.metadata import version as v\nfor n in {names!r}: print(n, v(n))"
    listed = subprocess.run(
        [tools.peers_python, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    found["Python peers"] = ", ".join(listed.stdout.splitlines())
    return found


def machine() -> dict[str, Any]:
    """Return what the figures were measured on, and how busy it was."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        os.uname().machine,
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "kernel": os.uname().release,
        "load_average": os.getloadavg(),
    }


def _optimised() -> str:
    flags = " ".join(
        str(sysconfig.get_config_var(name) or "") for name in ("CONFIG_ARGS", "PY_CORE_CFLAGS")
    )
    # Debian's packaging runs the profile-guided build without configure's switch for it.
    debian = Path(sys.executable).resolve().is_relative_to("/usr/bin")
    profiled = debian or "--enable-optimizations" in flags
    return "built with profile-guided optimisation" if profiled else "built without PGO"


def _revision() -> str:
    git = _which("git")
    if git is None:
        return "an unknown revision"
    here = Path(__file__).parent
    run = subprocess.run(
        [git, "describe", "--always", "--dirty", "--exclude=*"],
        cwd=here,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return run.stdout.strip() or "an unknown revision"


def _which(name: str) -> str | None:
    return shutil.which(name, path=_PATH)


def _first_line(*command: str) -> str:
    run = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return (run.stdout or run.stderr).splitlines()[0]
