"""The workflows: what only a run on GitHub would tell, and tells too late."""

import pytest
import yaml


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
