"""What other people's rules say: cdk-nag, checkov and cfn-lint."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from docwarden_cloud.findings import accept

INFRA = Path(__file__).resolve().parents[1]
CHECKOV = INFRA.parent / ".venv-checkov" / "bin" / "checkov"

# Rules of cfn-lint that do not fit, each with the reason.
CFN_LINT_EXCEPTIONS = {
    "W3010": "zones are values: looking them up would need an account while synthesising",
}


def test_cdk_nag_accepts_every_stack(synthesis):
    findings = [
        line for line in synthesis.messages.splitlines() if line.strip().startswith("Acknowledge")
    ]
    assert findings == [], synthesis.messages
    assert synthesis.status == 0, synthesis.messages


def test_checkov_accepts_every_template(synthesis):
    assert CHECKOV.is_file(), "make test-infra sets it up"
    scan = subprocess.run(
        [
            str(CHECKOV),
            "--directory",
            str(synthesis.directory),
            "--framework",
            "cloudformation",
            "--skip-download",  # guidelines for people; the rules are in the package
            "--output",
            "json",
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    report = json.loads(scan.stdout)
    findings = [
        f"{finding['check_id']} {finding['resource']}: {finding['check_name']}"
        for finding in report["results"]["failed_checks"]
    ]
    assert findings == []
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 300
    for skipped in report["results"]["skipped_checks"]:
        assert skipped["check_result"]["suppress_comment"].strip(), skipped["check_id"]


def test_cfn_lint_accepts_every_template(synthesis):
    templates = sorted(str(path) for path in synthesis.directory.rglob("*.template.json"))
    assert len(templates) > 12
    lint = subprocess.run(
        [
            str(Path(sys.executable).with_name("cfn-lint")),
            "--ignore-checks",
            *CFN_LINT_EXCEPTIONS,
            "--format",
            "parseable",
            "--",
            *templates,
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert lint.stdout == ""
    assert lint.returncode == 0, lint.stderr


def test_a_finding_is_not_accepted_without_a_reason():
    with pytest.raises(ValueError, match="needs a reason"):
        accept(NamedLikeAConstruct(), {"AwsSolutions-EC23": "because"})  # type: ignore[arg-type]  # refused before it is looked at


class NamedLikeAConstruct:
    class node:  # noqa: N801  a construct's attribute
        path = "network/Guard"
