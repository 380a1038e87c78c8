"""The gateways that are compared, and how each is started."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sidebyside.tools import Tools
from sidebyside.upstream import fill

SOURCE: Final = Path(__file__).parent.parent.parent / "src"
PYTHON_PEERS: Final = Path(__file__).parent.parent / "peers" / "python"


@dataclass(frozen=True, slots=True)
class Start:
    """What is needed to start a peer: where it listens, what it asks, where its files go.

    `admin` is the port of docwarden's operator pages.
    """

    tools: Tools
    run: Path
    port: int
    admin: int
    upstream: int
    name: str

    @property
    def upstream_url(self) -> str:
        """The upstream's address."""
        return f"http://127.0.0.1:{self.upstream}"


@dataclass(frozen=True, slots=True)
class Peer:
    """One gateway.

    Attributes:
        name: short, for files and results.
        title: for tables.
        command: returns the command line, having written what configuration it needs.
        environ: returns environment variables.
        verifies: whether broken documents are kept from the client.
        needs: the tool without which it is left out.
    """

    name: str
    title: str
    command: Callable[[Start], list[str]]
    environ: Callable[[Start], dict[str, str]] = lambda _: {}
    verifies: bool = False
    needs: Callable[[Tools], object] = field(default=lambda _: True)


def nginx(*, logs: bool = False) -> Peer:
    """Return nginx; its access log, if any, is written in batches."""

    def command(start: Start) -> list[str]:
        log = f"{start.run}/{start.name}.access.log combined buffer=64k flush=1s" if logs else "off"
        config = start.run / f"{start.name}.conf"
        values = {
            "RUN": start.run,
            "PORT": start.port,
            "UPSTREAM": start.upstream,
            "ACCESS_LOG": log,
        }
        config.write_text(fill("proxy.nginx.conf.in", values).replace("proxy.", f"{start.name}."))
        return [start.tools.nginx, "-p", str(start.run), "-c", str(config)]

    name, title = ("nginx-logs", "nginx, access log") if logs else ("nginx", "nginx `proxy_pass`")
    return Peer(name, title, command)


def _haproxy(start: Start) -> list[str]:
    config = start.run / f"{start.name}.cfg"
    values = {"PORT": start.port, "UPSTREAM": start.upstream}
    config.write_text(fill("haproxy.cfg.in", values))
    return [start.tools.haproxy or "", "-f", str(config)]


def _go(program: str, *options: str) -> Callable[[Start], list[str]]:
    return lambda start: [
        str(start.tools.go_programs / program),
        "-listen",
        f"127.0.0.1:{start.port}",
        "-upstream",
        start.upstream_url,
        *options,
    ]


def _python(program: str) -> Callable[[Start], list[str]]:
    return lambda start: [start.tools.peers_python, str(PYTHON_PEERS / program)]


def _python_environ(**extra: str) -> Callable[[Start], dict[str, str]]:
    return lambda start: {
        "BENCH_PORT": str(start.port),
        "BENCH_UPSTREAM": start.upstream_url,
        **extra,
    }


def docwarden(
    name: str = "docwarden",
    title: str = "docwarden",
    settings: Mapping[str, str] | None = None,
    source: Path = SOURCE,
    python: str = sys.executable,
) -> Peer:
    """Return docwarden with its defaults, which have everything on, but for `settings`.

    Its log goes to a file as JSON lines. Nothing is drained when it is stopped.

    Args:
        name: as in `Peer`.
        title: as in `Peer`.
        settings: values by name, without `DOCWARDEN_`.
        source: the folder of its package.
        python: an interpreter with the packages that it needs.
    """

    def environ(start: Start) -> dict[str, str]:
        return {
            "PYTHONPATH": str(source),
            "DOCWARDEN_LISTEN": f"127.0.0.1:{start.port}",
            "DOCWARDEN_ADMIN_LISTEN": f"127.0.0.1:{start.admin}",
            "DOCWARDEN_UPSTREAM_URL": f"{start.upstream_url}/{{id}}",
            "DOCWARDEN_DRAIN_DELAY": "0s",
            "DOCWARDEN_DRAIN_TIMEOUT": "1s",
            "DOCWARDEN_LOG_FORMAT": "json",
            **{f"DOCWARDEN_{key}": value for key, value in (settings or {}).items()},
        }

    return Peer(name, title, lambda _: [python, "-m", "docwarden", "serve"], environ, verifies=True)


GO_ENVIRON: Final = {"GOMAXPROCS": "1"}  # one core, one of Go's processors
NGINX: Final = nginx()
HAPROXY: Final = Peer("haproxy", "HAProxy", _haproxy, needs=lambda tools: tools.haproxy)
GO_PROXY: Final = Peer(
    "go-reverseproxy",
    "Go `httputil.ReverseProxy`",
    _go("reverseproxy"),
    lambda _: GO_ENVIRON,
    needs=lambda tools: tools.go,
)
GO_NAIVE: Final = Peer(
    "go-naive",
    "Go handler, default client",
    _go("naive"),
    lambda _: GO_ENVIRON,
    needs=lambda tools: tools.go,
)
GO_VERIFYING: Final = Peer(
    "go-verifying",
    "Go handler: `image/png`, `image/jpeg`, pdfcpu",
    _go("verifying"),
    lambda _: GO_ENVIRON,
    verifies=True,
    needs=lambda tools: tools.go,
)
GO_PNG: Final = Peer(
    "go-png",
    "Go handler: `image/png`, PDFs unseen",
    _go("verifying", "-only", "png"),
    lambda _: GO_ENVIRON,
    needs=lambda tools: tools.go,
)
FASTAPI: Final = Peer(
    "fastapi", "FastAPI + uvicorn + httpx", _python("fastapi_httpx.py"), _python_environ()
)
AIOHTTP: Final = Peer(
    "aiohttp", "aiohttp server + client", _python("aiohttp_both.py"), _python_environ()
)
AIOHTTP_UVLOOP: Final = Peer(
    "aiohttp-uvloop",
    "aiohttp server + client on uvloop",
    _python("aiohttp_both.py"),
    _python_environ(BENCH_LOOP="uvloop"),
)
DOCWARDEN: Final = docwarden()
DOCWARDEN_TIER_2: Final = docwarden(
    "docwarden-tier-2", "docwarden, tiers 0 to 2", {"INTEGRITY_TIER": "2"}
)
DOCWARDEN_QUIET: Final = docwarden(
    "docwarden-quiet", "docwarden, failures logged only", {"LOG_SUCCESS_SHARE": "0"}
)
