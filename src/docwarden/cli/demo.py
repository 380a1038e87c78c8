"""`docwarden demo`: the gateway in front of the simulator, with what to try printed."""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator

import uvloop

from docwarden.cli.main import complain
from docwarden.cli.serve import NO_OUTPUT, overrides
from docwarden.cli.serve import configure as configure_serve
from docwarden.net.units import Address
from docwarden.process.defect_log import send_diagnostics_to
from docwarden.process.lifecycle import App, StartError
from docwarden.settings.loading import SettingError, load
from docwarden.settings.settings import Settings
from docwarden.telemetry.logs import Log, open_log

_READY_SECONDS = 10.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    configure_serve(parser)
    parser.add_argument(
        "--simulator-listen", metavar="HOST:PORT", default="127.0.0.1:3000",
        help="where the simulator listens",
    )  # fmt: skip
    parser.add_argument(
        "--simulator-control", metavar="HOST:PORT", default="127.0.0.1:3001",
        help="control endpoint of the simulator",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C; return 0, or 2 when something cannot start."""
    try:
        load(overrides(arguments))
    except SettingError as error:
        return complain(str(error))
    if sys.stdout is None:
        return complain(NO_OUTPUT)
    try:
        return uvloop.run(_demo(arguments))
    except StartError as error:
        return complain(str(error))


async def _demo(arguments: argparse.Namespace) -> int:
    async with contextlib.AsyncExitStack() as stack:
        url, control = await stack.enter_async_context(_simulator(arguments))
        given = {"upstream_url": f"{url}/{{id}}", "drain_delay": "0s", **overrides(arguments)}
        settings = load(given)
        log = open_log(format_name=settings.log_format, level=settings.log_level)
        stack.callback(log.close)
        return await _serve(settings, log, control)


async def _serve(settings: Settings, log: Log, control: str) -> int:
    send_diagnostics_to(log)
    app = App(settings, log)
    serving = asyncio.ensure_future(app.run())
    ready = asyncio.ensure_future(app.ready.wait())
    await asyncio.wait((serving, ready), return_when=asyncio.FIRST_COMPLETED)
    if ready.done():
        _say_what_to_try(settings, app, control)
    ready.cancel()
    return await serving


@contextlib.asynccontextmanager
async def _simulator(arguments: argparse.Namespace) -> AsyncIterator[tuple[str, str]]:
    """Run the simulator in a process of its own; yield its URL and its control URL."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "docwarden", "simulate",
        "--listen", arguments.simulator_listen, "--control", arguments.simulator_control,
        "--flag-prefix", "simulator-",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    assert process.stderr is not None  # noqa: S101 - a pipe was asked for
    try:
        try:
            async with asyncio.timeout(_READY_SECONDS):
                lines = [await process.stdout.readline() for _ in range(2)]
        except TimeoutError as error:
            late = f"the simulator has not started within {_READY_SECONDS:g} seconds"
            raise StartError(late) from error
        if not lines[0]:
            reason = (await process.stderr.read()).decode("utf-8", "replace").strip()
            raise StartError(f"the simulator did not start: {reason}")
        reading = asyncio.ensure_future(_discard(process.stderr))
        try:
            url, control = (line.decode().split()[-1] for line in lines)
            yield url, control
        finally:
            reading.cancel()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def _discard(stream: asyncio.StreamReader) -> None:
    while await stream.read(65536):
        pass


def _say_what_to_try(settings: Settings, app: App, control: str) -> None:
    public = f"http://{Address(settings.listen.host, app.public.port)}"
    admin = f"http://{Address(settings.admin_listen.host, app.admin.port)}"
    started = (
        ("documents", f"{public}/529852"),
        ("console", f"{admin}/   (metrics at {admin}/metrics)"),
        ("upstream", f"{settings.upstream_url}: half PNG, 40 % PDF, 10 % corrupt PDF"),
        ("faults", f"{control}/   (GET shows what the upstream does wrong, PUT changes it)"),
    )
    tries = (
        ("get one", f"curl --head {public}/529852"),
        ("break it", f'curl -X PUT {control}/ -d \'{{"mix": {{"corrupt-pdf": 1}}}}\''),
        ("stop", "Ctrl-C"),
    )
    lines = [f"  {name:<11} {what}" for name, what in started]
    lines += ["", *(f"  {name:<11} {what}" for name, what in tries)]
    sys.stderr.write("\n" + "\n".join(lines) + "\n\n")
