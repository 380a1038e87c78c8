"""Roll an image out, judge it, and go back to the release before when it does not hold.

``python -m docwarden_cloud.rollout staging --digest sha256:...``

Nothing is changed before everything needed is known. Helm itself goes back when pods do not come
up. After that `helm test`, the load balancer's targets, documents fetched from outside and the
error budget of the first ten minutes have to agree; if one does not, the release before is
brought back and the exit status is 1.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence

import boto3
import botocore.session

from docwarden_cloud import document_service
from docwarden_cloud.cluster_access import use_cluster
from docwarden_cloud.commands import say
from docwarden_cloud.environments import SERVICE
from docwarden_cloud.error_budget import BudgetSource, CloudWatch, Prometheus
from docwarden_cloud.outputs import Outputs, fetch_outputs
from docwarden_cloud.release import helm_values, source_of, stands_in, target_group_binding
from docwarden_cloud.rollout_steps import Rollout, UnsoundError


def _counted_by(given: argparse.Namespace, outputs: Outputs, prefix: str) -> BudgetSource:
    endpoint = given.prometheus or outputs.get("PrometheusEndpoint", "")
    if given.prometheus:
        return Prometheus(endpoint)
    if endpoint:
        return Prometheus(endpoint, botocore.session.get_session(), given.region)
    return CloudWatch(boto3.client("cloudwatch", region_name=given.region), prefix)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="docwarden_cloud.rollout", description=__doc__)
    parser.add_argument("environment", help="such as staging")
    parser.add_argument("--digest", required=True, help="sha256:... of the image")
    parser.add_argument("--region", required=True, help="region of the environment")
    parser.add_argument("--upstream-url", default="", help="DOCWARDEN_UPSTREAM_URL, or `own`")
    parser.add_argument("--upstream-image", default="", help="own document service, by digest")
    parser.add_argument("--helm", default="helm", help="which helm 4 to run")
    parser.add_argument("--watch", type=float, default=600, help="seconds to watch the budget")
    parser.add_argument("--every", type=float, default=15, help="seconds between two checks")
    parser.add_argument("--patience", type=float, default=300, help="seconds to wait for targets")
    parser.add_argument("--prometheus", default="", help="ask this one, without a signature")
    parser.add_argument(
        "--as-administrator", action="store_true", help="use the cluster as its administrator role"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 it holds, 1 it did not and was undone, 2 something needed is missing."""
    parser = _parser()
    given = parser.parse_args(arguments)
    prefix = f"{SERVICE}-{given.environment}"
    try:
        stand_in = stands_in(given.environment)
        own = given.upstream_url == "own"
        source_of(given.upstream_url, stand_in=stand_in)
        upstream = document_service.manifests(given.upstream_image) if own else []
        outputs = fetch_outputs(boto3.client("cloudformation", region_name=given.region), prefix)
        values = helm_values(
            outputs, digest=given.digest, upstream_url=given.upstream_url, stand_in=stand_in
        )
        objects = [target_group_binding(outputs), *upstream]
    except KeyError as missing:
        parser.exit(2, f"no stack of {prefix} has the output {missing}; is it deployed?\n")
    except ValueError as problem:
        parser.exit(2, f"{problem}\n")
    use_cluster(prefix, given.region, as_administrator=given.as_administrator)
    rollout = Rollout(outputs=outputs, helm=given.helm, every=given.every)
    elb = boto3.client("elbv2", region_name=given.region)
    budget = _counted_by(given, outputs, prefix)
    try:
        rollout.deploy(values, objects)
        rollout.judge(
            {
                "helm test": rollout.test,
                "targets": lambda: rollout.await_targets(elb, given.patience),
                "smoke": lambda: rollout.smoke(given.digest),
                "error budget": lambda: rollout.watch(budget, given.watch),
            }
        )
    except subprocess.CalledProcessError as refusal:
        sys.stderr.write(f"{refusal.cmd[0]} {refusal.cmd[1]} failed\n")
        return 1
    except UnsoundError as problem:
        sys.stderr.write(f"The release failed its checks. {problem}\n")
        return 1
    say(f"{given.digest} holds in {given.environment}: {outputs['Url']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
