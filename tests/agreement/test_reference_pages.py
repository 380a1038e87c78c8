"""The reference pages say what the code says."""

import argparse
import re

import pytest
from prometheus_client import generate_latest

from docwarden.core.errors import RULES, Outcome
from docwarden.core.reasons import FailureReason
from docwarden.gateway.openapi import DESCRIPTION
from docwarden.integrity.registry import MEDIA_TYPES
from docwarden.settings.settings import variables
from docwarden.telemetry.catalog import ATTEMPT_RESULTS, DECLARED
from docwarden.telemetry.metrics import Metrics, registry_of


@pytest.mark.parametrize(
    "name",
    [
        "reference/settings.md",
        "reference/metrics.md",
        "reference/problems.md",
        "reference/cli.md",
        "index.md",
        "decisions/index.md",
        "images/architecture.svg",
        "explanation/cloud.svg",
    ],
)
def test_page_is_what_the_generator_makes(name, generator, read):
    assert read(name) == generator.PAGES[name](), "run `make reference`"


def test_the_picture_shows_the_folders_that_there_are(generator, root):
    shown = re.findall(r'class="code"[^>]*>([^<]+)/<', generator.PAGES["images/architecture.svg"]())
    assert len(shown) > 6
    assert [each for each in shown if not (root / "src/docwarden" / each).is_dir()] == []


def test_arguments_that_are_not_for_people_are_left_out(generator):
    page = generator.PAGES["reference/cli.md"]()
    assert argparse.SUPPRESS not in page
    assert "--channel" not in page
    assert "| `--listen HOST:PORT` |" in page


def test_every_setting_has_a_row(read):
    page = read("reference/settings.md")
    assert [name for name in variables() if f"\n| `{name}` |" not in page] == []


def test_every_metric_that_is_scraped_has_a_row(read):
    page = read("reference/metrics.md")
    scraped = generate_latest(registry_of(Metrics(version="0", revision="none"))).decode()
    families = {line.split()[2] for line in scraped.splitlines() if line.startswith("# TYPE")}
    ours = {name for name in families if not name.startswith("process_")}
    assert len(ours) == len(DECLARED)
    assert [name for name in sorted(ours) if f"\n| `{name}` |" not in page] == []


@pytest.mark.parametrize("value", [*Outcome, *ATTEMPT_RESULTS])
def test_every_value_of_a_label_is_listed(value, read):
    assert f"`{value}`" in read("reference/metrics.md")


@pytest.mark.parametrize("cause", RULES)
def test_every_cause_and_problem_has_its_rows(cause, read):
    page = read("reference/problems.md")
    rule = RULES[cause]
    assert f"\n| `{cause}` | `{rule.slug}` |" in page
    assert f"\n| {rule.status} | [`{rule.slug}`](#{rule.slug}) | {rule.title} |" in page
    assert f"\n### {rule.slug}\n" in page


@pytest.mark.parametrize("reason", FailureReason)
def test_every_specific_reason_has_its_row(reason, read):
    page = read("reference/problems.md")
    assert f"\n| `{reason}` | `{reason.cause}` | {reason.meaning} |" in page


def test_http_page_names_every_media_type_and_public_path(read):
    page = read("reference/http.md")
    paths = [f'"{path}"' for path in ("/{id}", "/healthz", "/openapi.json")]
    assert all(path.encode() in DESCRIPTION for path in paths if path != '"/openapi.json"')
    for word in (*MEDIA_TYPES, *(path.strip('"') for path in paths)):
        assert f"`{word}`" in page, word
