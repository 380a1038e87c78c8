"""Take an environment down that keeps no data, and leave nothing behind that costs.

``python -m docwarden_cloud.teardown demo``. Can be run again where it stopped.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from docwarden_cloud.bootstrap import CDK, FAILED, INFRA, WRONG
from docwarden_cloud.cluster_access import use_cluster
from docwarden_cloud.commands import run, say
from docwarden_cloud.environments import SERVICE, Environment
from docwarden_cloud.values import named


def take_down(environment: Environment, client: Any, *, helm: str) -> None:
    """Remove the release, what CloudFormation does not delete, and the stacks.

    Raises:
        CalledProcessError: A program failed.
        ClientError: AWS refused.
    """
    prefix = environment.prefix
    if _has_cluster(client("eks"), prefix):
        _remove_release(environment, helm)
    bucket = _bucket(client("cloudformation"), f"{prefix}-edge")
    if bucket:
        empty(client("s3"), bucket)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    run(
        [str(CDK), "destroy", f"{prefix}/*", "--force"],
        cwd=INFRA,
        environment={**os.environ, "PATH": path, "AWS_REGION": environment.region},
    )
    _forget_logs(client("logs"), prefix)
    for arn in _left(client("resourcegroupstaggingapi"), environment.name):
        say(f"left: {arn}")


def _has_cluster(eks: Any, name: str) -> bool:
    try:
        eks.describe_cluster(name=name)
    except eks.exceptions.ResourceNotFoundException:
        return False
    return True


def _remove_release(environment: Environment, helm: str) -> None:
    """Let go of targets and of Auto Mode's nodes while their controllers still run."""
    use_cluster(environment.prefix, environment.region, as_administrator=True)
    gone = ("--ignore-not-found", "--namespace", SERVICE)
    run(["kubectl", "delete", "targetgroupbindings.eks.amazonaws.com", "--all", *gone])
    run([helm, "uninstall", SERVICE, "--namespace", SERVICE, "--wait", "--ignore-not-found"])
    run(["kubectl", "delete", "namespace", SERVICE, "--ignore-not-found"])


def _bucket(cloudformation: Any, stack_name: str) -> str | None:
    try:
        found = cloudformation.describe_stack_resources(StackName=stack_name)["StackResources"]
    except ClientError as refusal:
        if refusal.response["Error"]["Code"] != "ValidationError":
            raise
        return None  # the stack is gone already
    names = [r["PhysicalResourceId"] for r in found if r["ResourceType"] == "AWS::S3::Bucket"]
    return names[0] if names else None


def empty(s3: Any, bucket: str) -> None:
    """Delete every version of every object: CloudFormation deletes no bucket that holds one."""
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
    for page in pages:
        held = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        objects = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in held]
        if objects:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})


def _forget_logs(logs: Any, prefix: str) -> None:
    """EKS and the agent make their groups anew while they are being deleted."""
    for group_prefix in (f"/aws/eks/{prefix}/", f"/aws/containerinsights/{prefix}/"):
        found = logs.describe_log_groups(logGroupNamePrefix=group_prefix)["logGroups"]
        for group in found:
            logs.delete_log_group(logGroupName=group["logGroupName"])


def _left(tagging: Any, environment: str) -> list[str]:
    pages = tagging.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": "environment", "Values": [environment]}]
    )
    return [each["ResourceARN"] for page in pages for each in page["ResourceTagMappingList"]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 gone, 1 a step failed, 2 refused."""
    parser = argparse.ArgumentParser(prog="docwarden_cloud.teardown", description=__doc__)
    parser.add_argument("environment", help="such as demo")
    parser.add_argument("--helm", default="helm", help="which helm 4 to run")
    given = parser.parse_args(arguments)
    try:
        environment = named(given.environment)
    except ValueError as problem:
        parser.exit(WRONG, f"{problem}\n")
    if environment.keeps_data:
        parser.exit(WRONG, f"{environment.prefix} keeps its data: see tear-down-aws.md\n")
    session = boto3.session.Session(region_name=environment.region)
    try:
        take_down(environment, session.client, helm=given.helm)
    except subprocess.CalledProcessError as failure:
        sys.stderr.write(f"{failure.cmd[0]} failed; run this again.\n")
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
