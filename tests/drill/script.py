"""The course of the drill: break, see, be paged, read, ask, mend, recover."""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from tests.drill.acts import IMPACT, MENDED, Act
from tests.drill.console import verdict
from tests.drill.runbook import meaning
from trial.clients import Clients
from trial.gateway import Gateway
from trial.waiting import until
from trial.watch import Watch

PATIENCE: Final = 120.0
"""Seconds for anything to be seen; what a quiet machine takes is a tenth of that."""
EXPLANATIONS: Final = 5

Say = Callable[[str, str], None]


class Drill:
    """Walks through acts with a gateway, and a watch where Prometheus is installed.

    Args:
        gateway: what is broken behind.
        watch: who pages; None without.
        say: takes who speaks and what.
    """

    def __init__(self, gateway: Gateway, watch: Watch | None, say: Say) -> None:
        self._gateway = gateway
        self._watch = watch
        self._say = say

    def play(self, act: Act, *, recover: bool) -> None:
        """Break the upstream, tell what is seen, and mend it.

        Args:
            act: the way to break it.
            recover: whether to wait until console and pager are calm again.

        Raises:
            AssertionError: something was not seen in time.
        """
        told = len(self._pages("firing"))
        self._say("break", act.about)
        began = time.monotonic()
        self._gateway.upstream(**act.changes)
        crowd = Clients(self._gateway.url, threads=act.crowd, rate=120 if act.crowd else 0)
        try:
            self._show_console(act, began)
            self._show_page(act, began, told)
            self._explain(act)
        finally:
            crowd.stop()
        self._say("restore", "the upstream works again")
        self._gateway.upstream(**MENDED)
        if recover:
            self._show_recovery(act)

    def _show_console(self, act: Act, began: float) -> None:
        found: dict[str, Any] = until(
            f"the console to say {' or '.join(act.titles)}",
            lambda: self._verdict_with(act.titles),
            PATIENCE,
        )
        self._say("console", f"{_since(began)}: {found['level']}, {found['title']}")
        for concern in found["concerns"]:
            self._say("", f"- {concern['text']}")

    def _verdict_with(self, titles: tuple[str, ...]) -> dict[str, Any] | None:
        found = verdict(self._gateway.admin)
        return found if found["title"] in titles else None

    def _show_page(self, act: Act, began: float, told: int) -> None:
        if self._watch is None:
            return
        page = until(
            f"a page of {act.alert}",
            lambda: next(
                (
                    each
                    for each in self._pages("firing")[told:]
                    if each["labels"]["alertname"] == act.alert
                ),
                None,
            ),
            PATIENCE,
        )
        notes = page["annotations"]
        self._say("page", f"{_since(began)}: {act.alert}, {page['labels']['severity']}")
        self._say("", f"- {notes['summary']} {notes['description']}")
        self._say("runbook", f"{notes['runbook_url']}, here docs/runbooks/{act.alert}.md")
        self._say("", f"- {meaning(act.alert)}")

    def _explain(self, act: Act) -> None:
        """Ask about documents until one is refused for the reason that is looked for."""
        for number in range(1, EXPLANATIONS + 1):
            words = ["explain", "--gateway", self._gateway.admin, str(number)]
            run = subprocess.run(
                [sys.executable, "-m", "docwarden", *words],
                capture_output=True,
                text=True,
                check=False,
            )
            assert run.returncode in {0, 1}, run.stderr
            if act.explained in run.stdout:
                self._say("explain", f"docwarden {' '.join(words)}")
                for line in run.stdout.splitlines():
                    self._say("", line)
                return
        raise AssertionError(f"no explanation says {act.explained}")

    def _show_recovery(self, act: Act) -> None:
        began = time.monotonic()
        if self._watch is not None:
            until(
                f"{act.alert} to resolve",
                lambda: any(
                    each["labels"]["alertname"] == act.alert for each in self._pages("resolved")
                ),
                PATIENCE,
            )
            self._say("page", f"{_since(began)}: {act.alert} is resolved")
        found = until("the console to recover", self._calm, PATIENCE)
        self._say("console", f"{_since(began)}: {found['level']}, {found['title']}")

    def _calm(self) -> dict[str, Any] | None:
        found = verdict(self._gateway.admin)
        titles = {concern["title"] for concern in found["concerns"]}
        return None if titles & IMPACT else found

    def _pages(self, status: str) -> list[dict[str, Any]]:
        return [] if self._watch is None else self._watch.pages(status)


def _since(began: float) -> str:
    return f"after {time.monotonic() - began:.0f} s"
