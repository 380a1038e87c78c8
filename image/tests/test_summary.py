"""What a job's summary says."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "summary.py"


def summary(*arguments):
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_outputs_of_stacks_are_a_table_with_links_first(tmp_path):
    file = tmp_path / "outputs.json"
    file.write_text(
        json.dumps(
            {
                "docwarden-staging-service": {
                    "Bucket": "b",
                    "Dashboards": "https://grafana.example/",
                },
                "docwarden-staging-network": {"ExportsOutputRefVpc": "vpc-1"},
            }
        )
    )
    lines = summary("outputs", file).stdout.splitlines()
    assert lines[2:] == [
        "| docwarden-staging-service | Dashboards | <https://grafana.example/> |",
        "| docwarden-staging-service | Bucket | `b` |",
    ]


def test_what_was_built_can_be_rolled_out_again_by_the_command_that_is_told():
    text = summary("image", "registry.example/docwarden", "sha256:1", "c0ffee").stdout
    assert "registry.example/docwarden@sha256:1" in text
    assert "--field digest=sha256:1 --field commit=c0ffee" in text


def test_rollout_without_dashboards_has_no_empty_link():
    text = summary(
        "rollout", "staging", "sha256:1", "c0ffee", "https://service.example/", ""
    ).stdout
    assert "<https://service.example/1>" in text
    assert "dashboards" not in text


def test_arguments_that_make_no_summary_are_refused_with_the_usage():
    for arguments in ((), ("image",), ("nothing", "1")):
        done = summary(*arguments)
        assert done.returncode == 2
        assert "KIND" in done.stderr
