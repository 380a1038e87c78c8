"""What a release asks CloudFormation, and what the deploy role lets it ask."""

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from docwarden_cloud.outputs import STACKS, fetch_outputs
from testkit.assembly import Assembly
from testkit.policies import allows, documents


@pytest.fixture
def cloudformation():
    client = boto3.client(
        "cloudformation",
        region_name="us-east-2",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"max_attempts": 0}),
    )
    with Stubber(client) as answers:
        yield client, answers


def absent(answers: Stubber, stack_name: str) -> None:
    answers.add_client_error(
        "describe_stacks",
        "ValidationError",
        f"Stack with id {stack_name} does not exist",
        expected_params={"StackName": stack_name},
    )


def answer(answers: Stubber, stack_name: str, outputs: dict[str, str]) -> None:
    stack = {
        "StackName": stack_name,
        "CreationTime": "2026-11-24T00:00:00Z",
        "StackStatus": "CREATE_COMPLETE",
        "Outputs": [{"OutputKey": name, "OutputValue": value} for name, value in outputs.items()],
    }
    answers.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": stack_name})


def test_known_stacks_are_all_that_an_environment_can_have(assembly: Assembly):
    assert {stack.name for stack in assembly.stacks} <= set(STACKS)


def test_deploy_role_may_ask_for_each_stack_that_the_release_asks_for(
    delivered: Assembly, cloudformation
):
    client, answers = cloudformation
    asked = []
    client.meta.events.register(
        "before-parameter-build.cloudformation",
        lambda params, model, **_: asked.append((model.name, params.get("StackName"))),
    )
    prefix = f"docwarden-{delivered.environment}"
    for name in STACKS:
        answer(answers, f"{prefix}-{name}", {f"Of{name}": "a value", "ExportsOutputRef": "no"})
    outputs = fetch_outputs(client, prefix)
    assert outputs == {f"Of{name}": "a value" for name in STACKS}
    (policy,) = [
        document.statements
        for document in documents(delivered)
        if document.owner.startswith("delivery/DeliveryDeployStacks")
    ]
    assert asked
    for action, stack_name in asked:
        # Without a name, the question is about every stack of the account.
        stack = f"stack/{stack_name}/id" if stack_name else "stack/*"
        resource = f"arn:aws:cloudformation:us-east-2:123456789012:{stack}"
        assert allows(policy, action=f"cloudformation:{action}", resource=resource), resource


def test_stacks_that_do_not_exist_are_left_out(cloudformation):
    client, answers = cloudformation
    for name in STACKS:
        if name == "registry":
            answer(answers, "docwarden-staging-registry", {"RepositoryUri": "here"})
        else:
            absent(answers, f"docwarden-staging-{name}")
    assert fetch_outputs(client, "docwarden-staging") == {"RepositoryUri": "here"}


def test_an_environment_without_stacks_is_said(cloudformation):
    client, answers = cloudformation
    for name in STACKS:
        absent(answers, f"docwarden-staging-{name}")
    with pytest.raises(ValueError, match="no stack docwarden-staging-"):
        fetch_outputs(client, "docwarden-staging")


@pytest.mark.parametrize("code", ["AccessDenied", "ValidationError", "Throttling"])
def test_another_refusal_is_not_taken_for_a_missing_stack(cloudformation, code):
    client, answers = cloudformation
    answers.add_client_error("describe_stacks", code, "for another reason")
    with pytest.raises(ClientError, match="for another reason"):
        fetch_outputs(client, "docwarden-staging")
