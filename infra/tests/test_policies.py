"""IAM: the real policy documents of the templates, judged."""

from dataclasses import replace

import aws_cdk as cdk
import pytest

from app import MONITORING
from docwarden_cloud.environments import Environment
from docwarden_cloud.monitoring import read_monitoring
from docwarden_cloud.stage import EnvironmentStage
from docwarden_cloud.values import REPOSITORY, STAGING
from testkit.assembly import Assembly, Json, read_assembly
from testkit.policies import Document, admits, allows, documents, listed, plain

GITHUB = REPOSITORY
SUBJECT = f"repo:{GITHUB.owner}@{GITHUB.owner_id}/{GITHUB.name}@{GITHUB.repository_id}"
ISSUER = "token.actions.githubusercontent.com"

# Actions that IAM knows no resource for. Everything else has to name what it acts on.
WITHOUT_RESOURCE = {
    "aps:ListWorkspaces",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
    "ecr:GetAuthorizationToken",
    "elasticloadbalancing:DescribeTargetHealth",
}

SERVICES = {
    "codebuild.amazonaws.com",
    "ec2.amazonaws.com",
    "eks.amazonaws.com",
    "grafana.amazonaws.com",
    "pods.eks.amazonaws.com",
    "vpc-flow-logs.amazonaws.com",
}


def of_kind(assembly: Assembly, kind: str) -> list[Document]:
    return [document for document in documents(assembly) if document.kind == kind]


def identity(assembly: Assembly, name: str) -> Document:
    (found,) = [
        document
        for document in of_kind(assembly, "identity")
        if document.owner.startswith(f"delivery/Delivery{name}")
    ]
    return found


def trust(assembly: Assembly, name: str) -> Document:
    (found,) = [
        document
        for document in of_kind(assembly, "trust")
        if document.owner == f"delivery/Delivery{name}"
    ]
    return found


def test_no_identity_may_do_wildcard_actions(assembly: Assembly):
    for document in of_kind(assembly, "identity"):
        for statement in document.statements:
            assert statement["Effect"] == "Allow"
            assert "NotAction" not in statement, document.owner
            assert "NotResource" not in statement, document.owner
            for action in listed(statement["Action"]):
                assert "*" not in action, f"{document.owner}: {action}"


def test_only_actions_without_a_resource_act_on_all_resources(assembly: Assembly):
    for document in of_kind(assembly, "identity"):
        for statement in document.statements:
            if "*" in listed(statement["Resource"]):
                assert set(listed(statement["Action"])) <= WITHOUT_RESOURCE, document.owner


def test_resource_policies_admit_nobody_unnamed(assembly: Assembly):
    for document in of_kind(assembly, "resource"):
        for statement in document.statements:
            if statement["Effect"] == "Deny":
                continue
            principal = statement["Principal"]
            assert principal != "*", document.owner
            assert "*" not in listed(principal.get("AWS", [])), document.owner
            if "Service" in principal:
                conditions = {
                    key for keys in statement.get("Condition", {}).values() for key in keys
                }
                assert conditions & {
                    "aws:SourceAccount",
                    "aws:SourceArn",
                    "kms:EncryptionContext:aws:logs:arn",
                    "s3:x-amz-acl",
                } or principal["Service"] in {
                    "logdelivery.elasticloadbalancing.amazonaws.com",
                    "delivery.logs.amazonaws.com",
                }, document.owner


def test_only_keys_give_their_account_everything(assembly: Assembly):
    root = "arn:aws:iam::123456789012:root"
    for document in of_kind(assembly, "resource"):
        for statement in document.statements:
            if statement["Effect"] == "Allow" and any(
                action.endswith(":*") for action in listed(statement["Action"])
            ):
                # What makes a key's IAM policies count; AWS' own default key policy.
                assert statement["Principal"] == {"AWS": root}, document.owner
                assert statement["Action"] == "kms:*", document.owner


def test_roles_trust_known_services_github_or_administrators(
    assembly: Assembly, environment: Environment
):
    signed_in = {
        "ArnLike": {
            "aws:PrincipalArn": (
                "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/"
                "*AWSReservedSSO_AdministratorAccess_*"
            )
        }
    }
    for document in of_kind(assembly, "trust"):
        for statement in document.statements:
            (kind,) = statement["Principal"]
            match kind:
                case "Service":
                    assert statement["Principal"]["Service"] in SERVICES, document.owner
                case "Federated":
                    assert document.owner.startswith("delivery/Delivery"), document.owner
                case "AWS":
                    # Without IAM Identity Center: whom the account's own policies let.
                    expected = signed_in if environment.identity_center else {}
                    assert statement.get("Condition", {}) == expected, document.owner
                    assert document.owner == "cluster/ClusterAdministrator"
                case _:
                    pytest.fail(f"{document.owner} trusts {statement['Principal']}")


def test_github_roles_are_bound_to_audience_repository_and_kind_of_run(delivered: Assembly):
    for name in ("Push", "Diff", "Deploy"):
        (statement,) = trust(delivered, name).statements
        conditions = statement["Condition"]
        assert conditions["StringEquals"] == {f"{ISSUER}:aud": "sts.amazonaws.com"}
        subjects = listed(conditions["StringLike"][f"{ISSUER}:sub"])
        for subject in subjects:
            assert subject.startswith(f"{SUBJECT}:")
            rest = subject.removeprefix(f"{SUBJECT}:")
            assert "*" not in rest or rest == "ref:refs/tags/v*"


# What GitHub sends for a repository made since 15 July 2026:
# https://github.blog/changelog/2026-04-23-immutable-subject-claims-for-github-actions-oidc-tokens
# https://github.com/github/docs/pull/45221
MAIN = "ref:refs/heads/main"
RUNS = {
    "main": f"{SUBJECT}:{MAIN}",
    "branch": f"{SUBJECT}:{MAIN}-evil",
    "release": f"{SUBJECT}:ref:refs/tags/v1.2.3",
    "other tag": f"{SUBJECT}:ref:refs/tags/nightly",
    "pull request": f"{SUBJECT}:pull_request",
    "staging": f"{SUBJECT}:environment:staging",
    "production": f"{SUBJECT}:environment:production",
    "names without ids": f"repo:{GITHUB.slug}:{MAIN}",
    "name taken by somebody else": f"repo:{GITHUB.owner}@999/{GITHUB.name}@999:{MAIN}",
    "fork": f"repo:somebody@999/{GITHUB.name}@998:{MAIN}",
    "longer id": f"{SUBJECT}0:{MAIN}",
    "lookalike": f"repo:{GITHUB.owner}@{GITHUB.owner_id}/{GITHUB.name}-evil@998:{MAIN}",
}


@pytest.mark.parametrize(
    ("role", "admitted"),
    [
        ("Push", {"main", "release"}),
        ("Diff", {"pull request"}),
        ("Deploy", {"its own environment"}),
    ],
)
def test_each_github_role_admits_its_runs_and_no_others(
    delivered: Assembly, role: str, admitted: set[str]
):
    expected = {delivered.environment if run == "its own environment" else run for run in admitted}
    statements = trust(delivered, role).statements
    claims = {f"{ISSUER}:aud": "sts.amazonaws.com"}
    assert {
        run
        for run, subject in RUNS.items()
        if admits(statements, claims={**claims, f"{ISSUER}:sub": subject})
    } == expected


def test_a_token_for_another_audience_is_refused(delivered: Assembly):
    claims = {f"{ISSUER}:aud": "somebody-else", f"{ISSUER}:sub": RUNS["main"]}
    assert not admits(trust(delivered, "Push").statements, claims=claims)


def test_push_role_writes_to_one_repository_only(delivered: Assembly):
    statements = identity(delivered, "PushImages").statements
    ours = "<RegistryRepository.Arn>"
    assert allows(statements, action="ecr:PutImage", resource=ours)
    other = "arn:aws:ecr:us-east-2:123456789012:repository/other"
    assert not allows(statements, action="ecr:PutImage", resource=other)
    assert not allows(statements, action="ecr:DeleteRepository", resource=ours)
    assert not allows(statements, action="ecr:BatchDeleteImage", resource=ours)


def bootstrap_role(kind: str) -> str:
    return f"arn:aws:iam::123456789012:role/cdk-hnb659fds-{kind}-role-123456789012-us-east-2"


def test_diff_role_reads_and_deploy_role_deploys(delivered: Assembly):
    diff = identity(delivered, "DiffStacks").statements
    deploy = identity(delivered, "DeployStacks").statements
    # The lookup role of `cdk bootstrap` reads the whole account, and whoever writes a pull request
    # chooses what its runs do.
    assert {action for statement in diff for action in listed(statement["Action"])} == {
        "cloudformation:DescribeStacks",
        "cloudformation:GetTemplate",
    }
    assert allows(deploy, action="sts:AssumeRole", resource=bootstrap_role("deploy"))
    for statements in (diff, deploy):
        # CloudFormation's own role; CDK's deploy role hands it over, nobody else may be it.
        assert not allows(statements, action="sts:AssumeRole", resource=bootstrap_role("cfn-exec"))
        assert not allows(
            statements,
            action="cloudformation:DeleteStack",
            resource=f"arn:aws:cloudformation:us-east-2:123456789012:stack/"
            f"docwarden-{delivered.environment}-network/1",
        )


def test_cluster_access_is_administrators_and_one_namespace_for_deployments(
    assembly: Assembly, environment: Environment
):
    entries = [
        plain(resource["Properties"])
        for _, _, resource in assembly.resources()
        if resource["Type"] == "AWS::EKS::AccessEntry"
    ]
    scopes = {
        entry["PrincipalArn"]: [
            (policy["PolicyArn"].rpartition("/")[2], policy["AccessScope"])
            for policy in entry["AccessPolicies"]
        ]
        for entry in entries
    }
    deployments: tuple[str, Json] = (
        "AmazonEKSEditPolicy",
        {"Type": "namespace", "Namespaces": ["docwarden"]},
    )
    expected: dict[str, list[tuple[str, Json]]] = {
        "<ClusterAdministrator.Arn>": [("AmazonEKSClusterAdminPolicy", {"Type": "cluster"})],
    }
    if environment.github:
        expected["<DeliveryDeploy.Arn>"] = [deployments]
    assert scopes == expected


def test_administrators_may_find_their_cluster(assembly: Assembly):
    (policy,) = [
        document.statements
        for document in of_kind(assembly, "identity")
        if document.owner.startswith("cluster/ClusterFindCluster")
    ]
    ours = "<Cluster.Arn>"
    assert allows(policy, action="eks:DescribeCluster", resource=ours)
    assert not allows(policy, action="eks:DeleteCluster", resource=ours)


def test_deploy_role_may_ask_what_a_rollout_has_done(delivered: Assembly):
    judgement = identity(delivered, "DeployJudgement").statements
    assert allows(judgement, action="aps:QueryMetrics", resource="<MetricsWorkspace.Arn>")
    assert allows(judgement, action="elasticloadbalancing:DescribeTargetHealth", resource="any")
    assert not allows(judgement, action="aps:DeleteWorkspace", resource="<MetricsWorkspace.Arn>")


def test_a_provider_that_the_account_has_is_used_and_not_made_again(tmp_path):
    app = cdk.App(outdir=str(tmp_path))
    there = replace(STAGING, github=replace(REPOSITORY, provider_exists=True))
    EnvironmentStage(app, environment=there, monitoring=read_monitoring(MONITORING))
    app.synth()
    assembly = read_assembly(tmp_path, "staging")
    assert not assembly["delivery"].resources("AWS::IAM::OIDCProvider")
    (statement,) = trust(assembly, "Push").statements
    assert statement["Principal"]["Federated"] == (
        "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    )
