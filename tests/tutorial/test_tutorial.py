"""The tutorial's commands give what the tutorial says: `make test-tutorial`."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
PORTS = {"8080": "public", "8081": "admin", "3000": "upstream", "3001": "control"}
CONSOLE = re.compile(r"```console\n(.*?)\n```", re.DOTALL)
# What differs from run to run: dates, ids, times.
VARYING = (
    (re.compile(r"^Date: .*$", re.MULTILINE), "Date: ..."),
    (re.compile(r"\b[0-9a-f]{32}\b(?!\"$)", re.MULTILINE), "<id>"),
    (re.compile(r"dur=\d+\.\d+"), "dur=..."),
    (re.compile(r"Retry-After: \d+"), "Retry-After: ..."),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)


def steps(text):
    """Yield each command of the tutorial with the output that stands below it."""
    for block in CONSOLE.findall(text):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = step.partition("\n")
            yield command, output


def same(text):
    for pattern, replacement in VARYING:
        text = pattern.sub(replacement, text)
    return text.strip()


@pytest.fixture
async def started():
    """Start processes whose first line of stdout is returned; end them afterwards."""
    processes = []

    async def start(*arguments, **environ):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "docwarden",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | environ,
        )
        processes.append(process)
        output = process.stdout
        assert output is not None
        return process, (await asyncio.wait_for(output.readline(), 30)).decode()

    yield start
    for process in processes:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


@pytest.fixture
async def ports(started):
    """Run what `make demo` runs, at free ports; return each port by the tutorial's own."""
    simulator, ready = await started(
        "simulate", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"
    )
    upstream = ready.rpartition(":")[2].strip()
    errors = simulator.stderr
    assert errors is not None
    control = None
    while control is None:
        line = (await asyncio.wait_for(errors.readline(), 30)).decode()
        assert line, "the simulator does not say where its control endpoint is"
        control = re.search(r"control .*:(\d+)/", line)
    _, ready = await started(
        "serve",
        *("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"),
        *("--upstream-url", f"http://127.0.0.1:{upstream}/{{id}}"),
        DOCWARDEN_DRAIN_DELAY="0s",
        # Half a minute in the tutorial; here long enough for the steps in between.
        DOCWARDEN_BREAKER_OPEN="8s",
    )
    listen = re.findall(r'listen":"http://127.0.0.1:(\d+)"', ready)
    return dict(zip(PORTS, (*listen, upstream, control[1]), strict=True))


async def test_every_step_gives_what_the_tutorial_says(ports, tmp_path):
    environ = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DOCWARDEN_ADMIN_LISTEN": f"127.0.0.1:{ports['8081']}",
    }
    taken = 0
    for command, said in steps(TUTORIAL.read_text()):
        run = re.sub(r"localhost:(\d+)", lambda m: f"127.0.0.1:{ports[m[1]]}", command)
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            run,
            cwd=tmp_path,
            env=environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        assert same(output.decode().replace("\r", "")) == same(said), command
        taken += 1
    assert taken > 10
