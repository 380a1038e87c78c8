"""Every step of every workflow is run here, or said to be checked elsewhere and why."""

import pytest

import workflows

MINUTES = 60
JOBS = workflows.jobs()


@pytest.mark.parametrize(("workflow", "job", "steps"), JOBS, ids=[f"{w}.{j}" for w, j, _ in JOBS])
def test_steps_of_the_job_run(runner, pytestconfig, workflow, job, steps):
    whole = pytestconfig.getoption("--whole")
    runner.begin()
    outputs = {}
    for step in steps:
        values = runner.values(workflow, outputs)
        if step.kind == "action":
            runner.act(step, values)
        elif step.kind == "here" or (step.kind == "slow" and whole):
            found = runner.run(step, values, limit=(30 if whole else 5) * MINUTES)
            outputs |= {f"steps.{step.id}.outputs.{name}": value for name, value in found.items()}
    document = workflows.load()[workflow]["jobs"][job]
    handed = {
        name: workflows.resolve(text, outputs) for name, text in document.get("outputs", {}).items()
    }
    runner.outputs.setdefault(workflow, {})[job] = handed


def test_table_names_only_steps_that_there_are():
    known = {step.key for _, _, steps in JOBS for step in steps}
    told = {*workflows.TABLE["slow"], *workflows.TABLE["elsewhere"]}
    assert told - known == set()


def test_page_lists_every_step():
    page = workflows.ROOT / "docs/reference/pipeline.md"
    assert page.read_text() == workflows.page(), "make pipeline-page renews it"
