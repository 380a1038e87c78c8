"""Workflows that call workflows: what GitHub would refuse before anything runs."""

import pytest

import workflows

WORKFLOWS = workflows.load()
HERE = "./.github/workflows/"
CALLS = [
    (workflow, name, job)
    for workflow, document in WORKFLOWS.items()
    for name, job in document["jobs"].items()
    if job.get("uses", "").startswith(HERE)
]
JOBS = [pytest.param(job, id=f"{workflow}.{name}") for workflow, name, job in CALLS]
STRENGTH = {"none": 0, "read": 1, "write": 2}


def called(job):
    return WORKFLOWS[job["uses"].removeprefix(HERE).removesuffix(".yml")]


@pytest.mark.parametrize("job", JOBS)
def test_caller_grants_what_each_job_of_the_called_workflow_asks_for(job):
    # Also for jobs that would be skipped; rights only shrink on the way down:
    # https://docs.github.com/en/actions/reference/workflows-and-actions/reusing-workflow-configurations
    granted = job.get("permissions", {})
    for nested in called(job)["jobs"].values():
        for right, level in nested.get("permissions", {}).items():
            assert STRENGTH[granted.get(right, "none")] >= STRENGTH[level], right


@pytest.mark.parametrize("job", JOBS)
def test_called_workflow_takes_the_inputs_and_gets_those_it_needs(job):
    # YAML reads the key `on` as true.
    triggers = called(job).get("on") or called(job)[True]
    inputs = (triggers["workflow_call"] or {}).get("inputs", {})
    given = set(job.get("with", {}))
    assert given <= set(inputs)
    assert {key for key, each in inputs.items() if each.get("required")} <= given


def test_rollouts_come_from_the_workflow_that_runners_take_jobs_of():
    # infra/docwarden_cloud/runner.py filters by this name; a called workflow has its caller's.
    asked = [workflow for workflow, _, job in CALLS if "digest" in job.get("with", {})]
    assert {WORKFLOWS[workflow]["name"] for workflow in asked} == {"deploy"}
