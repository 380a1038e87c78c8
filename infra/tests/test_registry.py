"""The image registry, by type and property."""

import json

from testkit.assembly import Assembly, Json


def service(assembly: Assembly) -> Json:
    found: Json
    (found,) = [
        each["Properties"]
        for each in assembly["registry"].resources("AWS::ECR::Repository").values()
        if each["Properties"]["RepositoryName"] == "docwarden"
    ]
    return found


def test_pushed_tags_never_change(assembly: Assembly):
    repository = service(assembly)
    assert repository["RepositoryName"] == "docwarden"
    assert repository["ImageTagMutability"] == "IMMUTABLE"


def test_images_are_scanned_on_push_and_encrypted_with_a_key_of_the_account(assembly: Assembly):
    repository = service(assembly)
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert repository["EncryptionConfiguration"]["EncryptionType"] == "KMS"
    assert assembly["registry"].only("AWS::KMS::Key")["EnableKeyRotation"] is True


def test_untagged_images_go_before_old_releases_do(assembly: Assembly):
    repository = service(assembly)
    rules = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert [rule["selection"]["tagStatus"] for rule in rules] == ["untagged", "any"]


def test_fifty_releases_are_kept_with_all_that_belongs_to_each(assembly: Assembly):
    repository = service(assembly)
    _, newest = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    of_one_release = ["index", "arm64", "its attestation", "amd64", "its attestation"]
    assert newest["selection"]["countType"] == "imageCountMoreThan"
    assert newest["selection"]["countNumber"] == 50 * len(of_one_release)


def test_images_outlive_the_stack_in_production_only(staging: Assembly, production: Assembly):
    for assembly, policy in ((staging, "Delete"), (production, "Retain")):
        for repository in assembly["registry"].resources("AWS::ECR::Repository").values():
            assert repository["DeletionPolicy"] == policy


def test_only_production_has_no_place_for_a_document_service_of_its_own(
    demo: Assembly, staging: Assembly, production: Assembly
):
    for assembly, names in (
        (demo, {"docwarden", "docwarden-upstream"}),
        (staging, {"docwarden", "docwarden-upstream"}),
        (production, {"docwarden"}),
    ):
        repositories = assembly["registry"].resources("AWS::ECR::Repository").values()
        assert {each["Properties"]["RepositoryName"] for each in repositories} == names
