"""The workflows: what only a run on GitHub would tell, and tells too late."""

import re
import subprocess

import pytest
import yaml

DIGEST = "sha256:" + "ab" * 32
COMMIT = "cd" * 20


@pytest.fixture(scope="session")
def workflows(root):
    """Each workflow by its file's name. YAML reads the key `on` as true."""
    folder = root / ".github" / "workflows"
    return {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in folder.glob("*.yml")}


def steps_with(workflow, action):
    """The steps of a workflow that use an action, whatever its version."""
    for job in workflow["jobs"].values():
        for step in job.get("steps", []):
            if step.get("uses", "").startswith(f"{action}@"):
                yield step


def matches(path, pattern):
    """Whether a path is one that GitHub's filter names; `**` crosses folders."""
    parts = {"**": ".*", "*": "[^/]*"}
    return re.fullmatch(
        "".join(parts.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*)", pattern)), path
    )


def test_scorecard_publishes_from_workflows_without_common_settings_only(workflows):
    publishing = [
        workflow
        for workflow in workflows.values()
        for step in steps_with(workflow, "ossf/scorecard-action")
        if step["with"].get("publish_results")
    ]
    assert publishing
    # Its service refuses the results of others: either could change what the action does.
    for workflow in publishing:
        assert not {"defaults", "env"} & workflow.keys()


def test_severities_hold_for_what_trivy_reports_to_github(workflows):
    scans = [
        step["with"]
        for workflow in workflows.values()
        for step in steps_with(workflow, "aquasecurity/trivy-action")
    ]
    assert scans
    for scan in scans:
        if scan["format"] == "sarif" and "severity" in scan:
            assert scan["limit-severities-for-sarif"] is True


def test_a_merge_is_applied_when_anything_changes_that_the_stacks_are_made_of(
    workflows, root, tree
):
    patterns = workflows["infrastructure"][True]["push"]["paths"]
    names = [path.relative_to(root).as_posix() for path in tree]
    read = [name for name in names if name.startswith(("infra/", "monitoring/generated/"))]
    assert len(read) > 20
    for name in read:
        assert any(matches(name, pattern) for pattern in patterns), name


def test_images_and_infrastructure_wait_in_queues_of_their_own(workflows):
    # One run waits in a group, and the next one takes its place: a release must not take a merge's.
    groups = {name: workflows[name]["concurrency"] for name in ("deploy", "infrastructure")}
    assert groups["deploy"]["group"] != groups["infrastructure"]["group"]
    assert not any(group["cancel-in-progress"] for group in groups.values())
    assert set(workflows["deploy"][True]) == {"push", "workflow_dispatch"}
    assert set(workflows["infrastructure"][True]) == {"push"}


@pytest.mark.parametrize(
    ("digest", "commit", "status"),
    [
        (DIGEST, COMMIT, 0),
        ("$(shell id)" + DIGEST, COMMIT, 1),
        (DIGEST + "\n$(shell id)", COMMIT, 1),
        (DIGEST + "0", COMMIT, 1),
        ("v1.2.3", COMMIT, 1),
        ("", COMMIT, 1),
        (DIGEST, "main", 1),
        (DIGEST, COMMIT + "\n$(shell id)", 1),
        (DIGEST, "", 1),
    ],
)
def test_rollout_begins_by_refusing_what_is_no_digest_and_no_commit(
    workflows, tmp_path, digest, commit, status
):
    job = workflows["environment"]["jobs"]["image"]
    first = job["steps"][0]
    assert {**job.get("env", {}), **first.get("env", {})} == {
        "DIGEST": "${{ inputs.digest }}", "COMMIT": "${{ inputs.commit }}",
    }  # fmt: skip
    shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", first["run"]]
    given = {"DIGEST": digest, "COMMIT": commit}
    done = subprocess.run(shell, cwd=tmp_path, env=given, capture_output=True, check=False)
    assert done.returncode == status


def test_nothing_is_deployed_unless_the_image_was_tested_and_verified(workflows):
    jobs = workflows["deploy"]["jobs"]
    assert set(jobs["image"]["needs"]) == {"tests", "cluster"}
    assert jobs["staging"]["needs"] == "image"
    assert set(jobs["offer"]["needs"]) == {"image", "staging"}
    rollout = workflows["environment"]["jobs"]
    verified = [name for name, job in rollout.items() if job.get("needs") == "image"]
    assert verified, "the rollout waits for the image's verification"
    # Without a condition that says so, a job runs only when all before it succeeded.
    for job in (*jobs.values(), *rollout.values()):
        assert not any(word in str(job.get("if", "")) for word in ("always()", "failure()"))
