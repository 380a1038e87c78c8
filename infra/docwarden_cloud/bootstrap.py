"""From an account to an environment that answers: one command, which can be run again and again.

``python -m docwarden_cloud.bootstrap demo --access 203.0.113.7/32 --notify me@example.com``

With ``--dry-run`` it looks at rights, quotas and tools, says what each step does and costs, and
changes nothing. Exit status: 0 done, 1 a step failed, 2 something is wrong, 3 a manual step.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from docwarden_cloud.cluster_access import prepare_cluster, reachable
from docwarden_cloud.commands import ROOT, run, say
from docwarden_cloud.cost_lines import HOURS, lines
from docwarden_cloud.costs import read_prices, total
from docwarden_cloud.delegation import delegated
from docwarden_cloud.environments import Environment
from docwarden_cloud.local_image import push_image
from docwarden_cloud.outputs import fetch_outputs
from docwarden_cloud.preflight import Finding, look
from docwarden_cloud.release import links
from docwarden_cloud.rollout import main as roll_out
from docwarden_cloud.values import named, personal

INFRA = ROOT / "infra"
CDK = INFRA / "node_modules" / ".bin" / "cdk"

FAILED, WRONG, WAITS = 1, 2, 3


class PersonWantedError(Exception):
    """Only a person can go on; the text says with what."""


@dataclass(frozen=True)
class Step:
    """Something that is done once, and harmless to do again."""

    name: str
    does: str
    costs: str
    run: Callable[[], None]


class Bootstrap:
    """The steps of one environment."""

    def __init__(self, environment: Environment, given: argparse.Namespace) -> None:
        self._environment = environment
        self._given = given
        self._session = boto3.session.Session(region_name=environment.region)

    def client(self, service: str) -> Any:
        """A boto3 client in the environment's region."""
        return self._session.client(service)  # type: ignore[call-overload]  # any service

    def tools(self) -> tuple[str, ...]:
        """Programs that the steps run."""
        cluster = ("aws", "kubectl", "node")
        domain = ("dig",) if self._environment.domain else ()
        return (*cluster, *domain, *(() if self._pipeline else (self._given.engine,)))

    @property
    def _pipeline(self) -> bool:
        return self._environment.github is not None

    def steps(self) -> Iterator[Step]:
        """What there is to do, in order."""
        prefix, price = self._environment.prefix, _prices(self._environment)
        yield Step("cdk", "bootstrap CDK: a bucket and roles", "cents for the bucket", self._cdk)
        if self._environment.domain:
            yield Step(
                "dns",
                f"create the zone {self._environment.domain} and check its delegation",
                price("DnsStack"),
                self._dns,
            )
        yield Step("stacks", f"deploy {prefix}/*, half an hour", price(), self._stacks)
        yield Step("cluster", "create namespace and roles in the cluster", "nothing", self._cluster)
        if not self._pipeline:
            yield Step("release", "build, push and roll out this tree", "nothing", self._release)
        yield Step("look", "print the links", "nothing", self._look)

    def _cdk_run(self, *arguments: str) -> None:
        context = [
            f"--context={key}={value}"
            for key, value in (("access", self._given.access), ("notify", self._given.notify))
            if value
        ]
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        run(
            [str(CDK), *arguments, *context],
            cwd=INFRA,
            environment={**os.environ, "PATH": path, "AWS_REGION": self._environment.region},
        )

    def _cdk(self) -> None:
        account = self.client("sts").get_caller_identity()["Account"]
        self._cdk_run("bootstrap", f"aws://{account}/{self._environment.region}")

    def _dns(self) -> None:
        self._cdk_run("deploy", f"{self._environment.prefix}/dns", "--require-approval=never")
        outputs = fetch_outputs(self.client("cloudformation"), self._environment.prefix)
        domain, servers = str(self._environment.domain), outputs["NameServers"].split()
        if not delegated(domain, servers):
            raise PersonWantedError(
                f"enter these as NS records of {domain} in its parent zone, wait until "
                f"`dig +short NS {domain}` prints them, and run this again: {' '.join(servers)}"
            )

    def _stacks(self) -> None:
        approval = "broadening" if self._environment.keeps_data else "never"
        outputs = f"cdk.out/outputs-{self._environment.name}.json"
        self._cdk_run(
            "deploy",
            f"{self._environment.prefix}/*",
            f"--require-approval={approval}",
            f"--outputs-file={outputs}",
        )

    def _cluster(self) -> None:
        prefix, region = self._environment.prefix, self._environment.region
        if not reachable(self.client("eks"), prefix):
            raise PersonWantedError(
                f"the API of {prefix} is private: run `make infra-up ENV={self._environment.name} "
                "ONLY=cluster` in a CloudShell VPC environment, in the subnets Nodes with the "
                "security group of the runner"
            )
        prepare_cluster(prefix, region, with_store=self._environment.store is not None)

    def _release(self) -> None:
        outputs = fetch_outputs(self.client("cloudformation"), self._environment.prefix)
        digest = self._given.digest or push_image(
            self.client("ecr"), outputs["RepositoryUri"], engine=self._given.engine
        )
        status = roll_out(
            [
                self._environment.name,
                f"--digest={digest}",
                f"--region={self._environment.region}",
                f"--upstream-url={self._given.upstream_url}",
                f"--upstream-image={self._given.upstream_image}",
                f"--helm={self._given.helm}",
                f"--watch={self._given.watch}",
                "--as-administrator",
            ]
        )
        if status:
            raise subprocess.CalledProcessError(status, ["rollout", self._environment.name])

    def _look(self) -> None:
        outputs = fetch_outputs(self.client("cloudformation"), self._environment.prefix)
        say(links(outputs))


def _prices(environment: Environment) -> Callable[..., str]:
    table = read_prices()
    made = list(lines(environment, table["usage"][environment.name]))

    def price(part: str | None = None) -> str:
        month = sum(line.cost(table["prices"]) for line in made if part in {None, line.part})
        return f"${month:,.2f} a month, ${month / HOURS:.2f} an hour"

    return price


def _report(findings: Iterator[Finding]) -> bool:
    """Say what was found; whether nothing is wrong."""
    wrong = 0
    for finding in findings:
        say(f"{finding.verdict:>8}  {finding.text}")
        wrong += finding.verdict == "wrong"
    return not wrong


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="docwarden_cloud.bootstrap", description=__doc__)
    parser.add_argument("environment", help="such as demo")
    parser.add_argument("--dry-run", action="store_true", help="check and report, change nothing")
    parser.add_argument("--only", default="", help="one step, by its name")
    parser.add_argument("--access", default="", help="demo: networks that may reach it")
    parser.add_argument("--notify", default="", help="demo: where alarms go")
    parser.add_argument("--digest", default="", help="an image that is in the registry already")
    parser.add_argument("--upstream-url", default="", help="DOCWARDEN_UPSTREAM_URL, or `own`")
    parser.add_argument("--upstream-image", default="", help="own document service, by digest")
    parser.add_argument("--helm", default="helm", help="which helm 4 to run")
    parser.add_argument("--watch", default="60", help="seconds to watch the first release")
    engine = next(filter(shutil.which, ("docker", "podman")), "docker")
    parser.add_argument("--engine", default=engine, help="docker or podman")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Look, then do what is left to do."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        given_by_key = {"access": given.access, "notify": given.notify}
        environment = personal(named(given.environment), given_by_key.get)
    except ValueError as problem:
        parser.exit(WRONG, f"{problem}\n")
    bootstrap = Bootstrap(environment, given)
    sound = _report(look(environment, bootstrap.client, tools=bootstrap.tools()))
    say(f"{environment.prefix} costs about ${total(environment, read_prices()):,.2f} a month.")
    steps = [step for step in bootstrap.steps() if given.only in {"", step.name}]
    if not steps:
        parser.exit(WRONG, f"there is no step {given.only!r}\n")
    for number, step in enumerate(steps, 1):
        say(f"{number}. {step.name}: {step.does} ({step.costs})")
    if not sound:
        say("Nothing was changed: fix the problems above and run this again.")
        return WRONG
    return 0 if given.dry_run else _take(steps)


def _take(steps: Sequence[Step]) -> int:
    for step in steps:
        say(f"== {step.name}")
        try:
            step.run()
        except PersonWantedError as wanted:
            say(f"A manual step is needed: {wanted}")
            return WAITS
        except subprocess.CalledProcessError as failure:
            sys.stderr.write(f"{failure.cmd[0]} failed in the step {step.name}; run this again.\n")
            return FAILED
        except (BotoCoreError, ClientError, LookupError, OSError, ValueError) as failure:
            sys.stderr.write(f"the step {step.name} failed: {failure}\n")
            return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
