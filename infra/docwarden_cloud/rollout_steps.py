"""The steps of a rollout: deploy, judge by what is asked of the release, go back if it fails."""

import json
import random
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import yaml
from botocore.exceptions import BotoCoreError, ClientError

from docwarden_cloud.commands import ROOT, answer, run, say
from docwarden_cloud.environments import SERVICE
from docwarden_cloud.error_budget import BudgetSource, Spent
from docwarden_cloud.outputs import Outputs

_CHART = ROOT / "charts" / "docwarden"
_DOCUMENTS_A_ROUND = 10


class UnsoundError(Exception):
    """The release does not hold; the text says why."""


_NOT_ANSWERED = (
    BotoCoreError,
    ClientError,
    OSError,
    UnsoundError,
    ValueError,
    subprocess.CalledProcessError,
)
"""How a check fails: by its verdict, or as it could not be asked, which is no good news either."""


class Rollout:
    """One release of one environment."""

    def __init__(self, *, outputs: Outputs, helm: str, every: float) -> None:
        self._outputs = outputs
        self._helm = helm
        self._every = every
        self._began = datetime.now(UTC)
        self._before: int | None = None

    def deploy(self, values: dict[str, Any], objects: list[dict[str, Any]]) -> None:
        """Install or upgrade, and wait until the pods are up.

        Raises:
            CalledProcessError: Helm refused, or went back by itself.
        """
        self._before = self._revision()
        _kubectl("apply", "--filename", "-", given=yaml.safe_dump_all(objects))
        self._began = datetime.now(UTC)
        self._run_helm(
            *("upgrade", "--install", SERVICE, str(_CHART), "--values", "-"),
            *("--wait", "--rollback-on-failure", "--timeout", "10m"),
            given=yaml.safe_dump(values),
        )

    def judge(self, checks: dict[str, Callable[[], None]]) -> None:
        """Ask each check; go back to the release before at the first that fails.

        Raises:
            UnsoundError: One failed.
        """
        for name, check in checks.items():
            say(f"{name} ...")
            try:
                check()
            except _NOT_ANSWERED as problem:
                self._go_back()
                raise UnsoundError(f"{name}: {problem}") from problem

    def test(self) -> None:
        """Run the chart's own test."""
        self._run_helm("test", SERVICE, "--logs", "--timeout", "5m")

    def await_targets(self, elb: Any, patience: float) -> None:
        """Wait until the load balancer sends requests to every pod that it knows.

        Raises:
            UnsoundError: It did not come to that.
        """
        end = time.monotonic() + patience
        while True:
            found = elb.describe_target_health(TargetGroupArn=self._outputs["TargetGroupArn"])
            states = [each["TargetHealth"]["State"] for each in found["TargetHealthDescriptions"]]
            staying = [state for state in states if state != "draining"]
            if staying and set(staying) == {"healthy"}:
                return
            if time.monotonic() > end:
                raise UnsoundError(f"targets are {states or 'not registered'}")
            time.sleep(self._every)

    def smoke(self, digest: str) -> None:
        """Check that every pod runs this image and that documents arrive."""
        script = str(ROOT / "image" / "smoke.sh")
        (ROOT / "build").mkdir(exist_ok=True)  # where it puts what it fetches
        run([script, SERVICE, digest, self._outputs["Url"]])

    def watch(self, budget: BudgetSource, seconds: float) -> None:
        """Ask for documents, and how many others did not get theirs, for a while.

        Raises:
            UnsoundError: Too many were lost, or nobody counted any.
        """
        end = time.monotonic() + seconds
        here = Spent(good=0, bad=0)
        while True:
            here = _asked(self._outputs["Url"], _DOCUMENTS_A_ROUND, here)
            there = budget.spent(self._began)
            for where, spent in (("from here", here), ("by the gateway's count", there)):
                if spent.burns:
                    raise UnsoundError(
                        f"{where}, {spent.bad:.0f} of {spent.good + spent.bad:.0f} documents "
                        "were not delivered"
                    )
            if time.monotonic() > end:
                break
            time.sleep(self._every)
        if not there.known:
            raise UnsoundError("no documents were counted: no metrics arrived")

    def _revision(self) -> int | None:
        """Revision to go back to: the last one that was deployed."""
        history = [self._helm, "history", SERVICE, "--namespace", SERVICE, "--output", "json"]
        told = answer(history)
        if told is None:
            return None  # no release yet; the upgrade says what else is wrong
        good = [each["revision"] for each in json.loads(told) if _holds(each)]
        return max(good, default=None)

    def _go_back(self) -> None:
        if self._before is None:
            say("This is the first release: there is no previous one to restore.")
            return
        say(f"Rolling back to revision {self._before} ...")
        self._run_helm("rollback", SERVICE, str(self._before), "--wait", "--timeout", "10m")

    def _run_helm(self, *arguments: str, given: str | None = None) -> None:
        run([self._helm, *arguments, "--namespace", SERVICE], given=given)


def _holds(revision: dict[str, Any]) -> bool:
    return str(revision["status"]) == "deployed"


def _asked(url: str, documents: int, before: Spent) -> Spent:
    good, bad = before.good, before.bad
    for _ in range(documents):
        try:
            address = f"{url.rstrip('/')}/{random.randrange(1_000_000)}"  # noqa: S311  any id does
            with urllib.request.urlopen(address, timeout=15) as answer:  # noqa: S310  the stack's
                answer.read()
            good += 1
        except urllib.error.HTTPError as refusal:
            good, bad = (good + 1, bad) if refusal.code == 404 else (good, bad + 1)
        except OSError:
            bad += 1
    return Spent(good=good, bad=bad)


def _kubectl(*arguments: str, given: str) -> None:
    run(["kubectl", *arguments, "--namespace", SERVICE], given=given)
