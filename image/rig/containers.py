"""Containers of the image under test, as podman runs them."""

import json
import os
import subprocess
import time
import uuid
from dataclasses import dataclass
from math import inf
from pathlib import Path

IMAGE = os.environ["IMAGE"]

# What a cluster with Pod Security "restricted" gives a container, and the smallest size promised.
HARDENED = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
)
SMALL = ("--memory=128m", "--memory-swap=128m", "--cpus=0.5")


def podman(*arguments, check=True, limit=60, given=None):
    """Return what podman writes to its standard output."""
    done = run(*arguments, limit=limit, given=given)
    assert not check or done.returncode == 0, f"podman {arguments}: {done.stderr}"
    return done.stdout.strip()


def run(*arguments, limit=60, given=None):
    """Run podman and return how it ended."""
    return subprocess.run(
        ["podman", *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=limit,
    )


def own_name():
    """Return a name for what a test starts, from which image/sweep.sh knows whose it is."""
    return f"docwarden-test-{os.getpid()}-{uuid.uuid4().hex[:8]}"


def until(condition, *, limit, what):
    """Return the first true answer of `condition`; fail after `limit` seconds."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {limit} s: {what}")


@dataclass(frozen=True)
class Container:
    """A container that was started."""

    name: str

    def url(self, port):
        """Return where the host reaches a port of the container."""
        return f"http://{podman('port', self.name, str(port)).splitlines()[0]}"

    def inspect(self):
        """Return all that podman knows of it."""
        return json.loads(podman("inspect", self.name))[0]

    def address(self):
        """Return its address in the tests' network."""
        (network,) = self.inspect()["NetworkSettings"]["Networks"].values()
        return network["IPAddress"]

    def exec(self, *command):
        """Run a command inside and return how it ended."""
        return run("exec", self.name, *command)

    def logs(self):
        """Return the events that it logged."""
        done = run("logs", self.name)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def diff(self):
        """Return what changed in its file system."""
        return set(podman("diff", self.name).splitlines())

    def memory(self):
        """Return bytes: the most that was used with file cache, and what is used without it now."""
        folder, old = self._group("memory")
        peak, now = ("memory.max_usage_in_bytes", "total_rss") if old else ("memory.peak", "anon")
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return int((folder / peak).read_text()), int(stat[now])

    def limits(self):
        """Return bytes and processors that the kernel grants; infinite where it sets no limit."""
        folder, old = self._group("memory")
        most = (folder / ("memory.limit_in_bytes" if old else "memory.max")).read_text().strip()
        folder, old = self._group("cpu")
        if old:
            quota, period = (
                (folder / f"cpu.cfs_{kind}_us").read_text().strip() for kind in ("quota", "period")
            )
        else:
            quota, period = (folder / "cpu.max").read_text().split()
        processors = inf if quota in {"max", "-1"} else int(quota) / int(period)
        return inf if most == "max" else int(most), processors

    def _group(self, controller):
        """Return the folder of its control group, and whether that is of version 1."""
        groups = Path(f"/proc/{self.inspect()['State']['Pid']}/cgroup").read_text().splitlines()
        paths = {kind: path for _, kind, path in (line.split(":", 2) for line in groups)}
        for kinds, path in paths.items():
            if controller in kinds.split(","):
                return Path("/sys/fs/cgroup") / controller / path.lstrip("/"), True
        return Path("/sys/fs/cgroup") / paths[""].lstrip("/"), False


class Host:
    """Starts containers in a network of their own and removes them all in the end."""

    def __init__(self):
        self._run = own_name()
        self._names = []
        podman("network", "create", "--disable-dns", self._run)

    def start(self, *command, options=()):
        """Start a container of the image; without a command, the gateway."""
        name = f"{self._run}-{len(self._names)}"
        self._names.append(name)
        publish = ("--publish=127.0.0.1::8080", "--publish=127.0.0.1::8081")
        ways = ("--detach", f"--name={name}", f"--network={self._run}", *publish, *options)
        podman("run", *ways, IMAGE, *command)
        return Container(name)

    def start_simulator(self, *options):
        """Start the upstream and return its URL for gateways."""
        listen = "--listen=0.0.0.0:3000"
        simulator = self.start("simulate", listen, "--control=off", *options, options=HARDENED)
        until(lambda: "listening" in run("logs", simulator.name).stdout, limit=20, what="simulator")
        return f"http://{simulator.address()}:3000"

    def start_gateway(self, upstream, *options, **settings):
        """Start a gateway, hardened, with DOCWARDEN_ settings by their short names."""
        settings = {"UPSTREAM_URL": upstream, **settings}
        variables = [f"--env=DOCWARDEN_{name}={value}" for name, value in settings.items()]
        return self.start(options=(*HARDENED, *variables, *options))

    def close(self):
        """Remove everything."""
        for name in self._names:
            podman("rm", "--force", "--time=0", name, check=False)
        podman("network", "rm", "--force", self._run, check=False)
