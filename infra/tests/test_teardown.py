"""An environment is taken down whole, or not at all."""

import pytest

from docwarden_cloud import teardown
from docwarden_cloud.values import PRODUCTION
from testkit.demo_account import build_demo

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")


def test_one_command_takes_the_demo_down_and_leaves_no_logs(account, tools):
    bucket = build_demo(account)
    s3 = account.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for text in (b"first", b"second"):
        s3.put_object(Bucket=bucket, Key="alb/log", Body=text)
    s3.delete_object(Bucket=bucket, Key="alb/log")
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 2
    assert teardown.main(["demo"]) == 0
    held = s3.list_object_versions(Bucket=bucket)
    assert "Versions" not in held
    assert "DeleteMarkers" not in held
    calls = [call.split()[0] for call in tools.noted()]
    assert calls == ["aws", "kubectl", "helm", "kubectl", "cdk"]
    assert tools.noted()[-1] == "cdk destroy docwarden-demo/* --force"
    groups = account.client("logs").describe_log_groups(
        logGroupNamePrefix="/aws/eks/docwarden-demo/"
    )
    assert groups["logGroups"] == []


def test_what_is_gone_already_is_no_reason_to_stop(account, tools):
    assert teardown.main(["demo"]) == 0
    assert tools.noted() == ["cdk destroy docwarden-demo/* --force"]


def test_an_environment_that_keeps_its_data_is_not_taken_down(tools, capfd):
    with pytest.raises(SystemExit) as end:
        teardown.main([PRODUCTION.name])
    assert end.value.code == 2
    assert "keeps its data" in capfd.readouterr().err
    assert tools.noted() == []
