"""Clients inside the cluster: load at a steady rate, and who may connect to whom."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.cluster import kube
from tests.cluster.release import Release

LEAST_BEFORE = 5.0  # seconds of load before a change begins
LEAST_AFTER = 5.0  # and after it has ended


@dataclass
class Load:
    """What clients saw while something was changed."""

    results: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return sum(each["requests"] for each in self.results.values())

    @property
    def lost(self) -> int:
        """How many of them were not answered with an intact document."""
        return sum(each["lost"] for each in self.results.values())

    def told(self) -> str:
        """Return the figures of the summary."""
        slowest = max(each["ms"]["p99"] for each in self.results.values())
        return f"{self.lost} of {self.requests:,} requests lost, p99 at most {slowest:.0f} ms"

    def none_lost(self) -> None:
        """Check that every request got its document.

        Raises:
            AssertionError: with examples of those that did not.
        """
        examples = [line for each in self.results.values() for line in each["examples"]]
        assert self.lost == 0, "\n".join((self.told(), *examples))


class Clients:
    """A namespace whose pods may fetch documents."""

    def __init__(self, *, namespace: str, image: dict[str, str], rate: float) -> None:
        """Remember where to run pods, from which image, and how often each client asks."""
        self.namespace = namespace
        self.image = image
        self.rate = rate

    def script(self, script: str, *arguments: str, **more: Any) -> str:
        """Run one of the scripts to its end; return what it printed last."""
        pod = kube.script_pod(
            script.replace("_", "-"),
            image=self.image,
            script=script,
            arguments=list(arguments),
            **more,
        )
        return kube.run_script(self.namespace, pod)

    def fetch(self, url: str, count: int, *, at_once: int = 1) -> dict[str, int]:
        """Fetch documents; return how many answers there were of each kind."""
        seen: dict[str, int] = json.loads(self.script("fetch", url, str(count), str(at_once)))
        return seen

    @contextmanager
    def load(self, release: Release, *, avoid: str = "") -> Iterator[Load]:
        """Keep two clients asking, one on kept connections and one on fresh ones.

        They run on two nodes where there are two, and never on the node to `avoid`. Every document
        is intact meanwhile: of ten thousand at the usual mix, one is corrupt four times in a row.
        """
        release.control_simulator('{"mix": {"png": 55, "pdf": 45}}')
        nodes = [each for each in kube.nodes() if each != avoid]
        chosen = {"keep": nodes[0], "fresh": nodes[-1]}
        load = Load()
        for how, node in chosen.items():
            pod = kube.script_pod(
                f"load-{how}",
                image=self.image,
                script="load",
                arguments=[release.url, str(self.rate), how],
                spec={"nodeName": node},
            )
            kube.start(self.namespace, pod)
        for how in chosen:
            kube.until(
                f"client load-{how} is let in",
                partial(self._has_said, f"load-{how}", "begun\n"),
                within=120,
            )
        time.sleep(LEAST_BEFORE)
        try:
            yield load
        except BaseException:
            # The steps that follow would be under this load, too.
            pods = [f"pod/load-{how}" for how in chosen]
            kube.kubectl("delete", *pods, f"--namespace={self.namespace}", "--now")
            raise
        time.sleep(LEAST_AFTER)
        for how in chosen:
            code = "import os, signal; os.kill(1, signal.SIGUSR1)"
            kube.python(self.namespace, f"load-{how}", code)
        for how in chosen:
            kube.until(
                f"client load-{how} ends",
                partial(self._has_said, f"load-{how}", "}\n"),
                within=60,
            )
            said = kube.logs(self.namespace, f"load-{how}")
            load.results[how] = json.loads(said.splitlines()[-1])

    def _has_said(self, pod: str, last: str) -> bool:
        try:
            return kube.logs(self.namespace, pod).endswith(last)
        except kube.CommandError:  # it is being created
            return False


def reachable(namespace: str, image: dict[str, str], *expected: str, **more: Any) -> dict[str, str]:
    """Return what cannot be reached from a new pod and should, and the other way round.

    Each expectation reads `open:HOST:PORT` or `closed:HOST:PORT`.
    """
    pod = kube.script_pod("reach", image=image, script="reach", arguments=list(expected), **more)
    wrong: dict[str, str] = json.loads(kube.run_script(namespace, pod))
    return wrong
