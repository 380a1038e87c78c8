"""Each command and query of each runbook, as written, on a system that is broken in just that way.

What it prints has to name the cause. Nothing in a runbook is left out: a new block without an
expectation fails.
"""

import functools
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from trial.courses import of_tests, taking_turns
from trial.incidents import INCIDENTS, System, running_incident
from trial.waiting import until

FOLDER = Path(__file__).parents[2] / "docs/runbooks"
BLOCK = re.compile(r"^( *)```(sh|promql)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
NO_ANSWER = r"^000|no answer"
ROW = r"^\{instance="

# Page -> the incident that brings its alert, and what each block has to print, in order.
EXPECTED: dict[str, tuple[str, tuple[str, ...]]] = {
    "DocwardenUpstreamDown": (
        "dead",
        (
            r'(?s)\A(?!.*corrupt).*result="conn\w+-\w+"',
            r"(?s)\A(?!.*(startxref|circuit)).*\d+ conn\w+-\w+  \w",
            NO_ANSWER,
            r"T\S+Z  breaker\.opened  conn\w+-.*  \d+",
            r"^\{\} [1-9]",
            r'outcome="circuit_open"',
            r'version="\d',
            r"^503, Retry-After: \d+",
        ),
    ),
    "DocwardenInhibitor": (
        "dead",
        (r'cause="DocwardenUpstreamDown"', r'alertname="DocwardenInhibitor"'),
    ),
    "index": (
        "dead",
        (
            r'(?s)"status":"ok".*\d+ circuit_open.*"upstream-circuit-open","circuit-open"',
            r'alertname="DocwardenUpstreamDown"',
        ),
    ),
    "DocwardenUpstreamSlow": (
        "hanging",
        (
            r'^\{result="attempt-timeout"\} [1-9]',
            r'result="attempt-timeout"\} 0\.[5-7]',
            r"^200: connected after 0\.0\d+ s, answer began after 1\.",
            r'"attempt-timeout"',
            r"^\{\} \d",
            r"^\{\} 0$",
        ),
    ),
    "DocwardenCorruptionHigh": (
        "corrupt",
        (
            r"^\{\} 0\.[3-9]",
            r'reason="pdf-startxref-wrong"',
            r"\d+ false  application/pdf  pdf-startxref-wrong",
            r"1 \d+$",
            r'version="\d',
        ),
    ),
    "DocwardenBreakerOpen": (
        "mixed",
        (
            r"\A\{[^\n]*\} 0\Z",
            r'result="connect-failed"',
            ROW + r".*\} [1-9]",
            r"UPSTREAM_URL +http://127\.0\.0\.1:9/",
            NO_ANSWER,
        ),
    ),
    "DocwardenBuildDrift": (
        "mixed",
        (r'revision="bad"', r'revision="bad".*\} (0\.\d*)?[1-9]', r'"revision": ?"bad"'),
    ),
    "DocwardenTargetDown": (
        "mixed",
        (
            r'^\{.*instance="127\.0\.0\.1:9".*\} 0$',
            r"^http://127\.0\.0\.1:9/metrics .*connection refused",
            ROW + r".*\} \d{7}",
            ROW + r".*\} 0\.0",
        ),
    ),
    "DocwardenDown": (
        "gone",
        (
            NO_ANSWER,
            r'^\{__name__="up",instance=.*\} 0$',
            ROW + r".*\} 1$",
            r"connection refused",
            r"(?s)not alive.*no metrics",
            r"^[0-9a-f]{8}-[0-9a-f-]{27}$",
        ),
    ),
    "DocwardenEventLoopStalled": (
        "stalled",
        (
            ROW + r".*\} (0\.[5-9]|[1-9])",
            ROW + r".*\} 0\.",
            ROW,
            r"^\[([5-9]\d\d|\d{4})",
            ROW + r".*\} 0$",
        ),
    ),
    "DocwardenLatencyBudgetBurn": (
        "slow",
        (
            r"^\{\} (0\.[5-9]|[1-9])",
            r"^\{\} (0\.[5-9]|[1-9])",
            r"^\{\} \d",
            ROW,
            ROW,
            ROW,
            r'"upstream_ms":7\d\d.*"intact"',
        ),
    ),
    "DocwardenDocumentsBudgetBurn": (
        "partial",
        (
            r'\A\{outcome="upstream_error"\} [1-9]',
            ROW + r".*\} 0\.",
            r'result="upstream-status-final"',
            r"\d+ upstream-error  upstream-status-403",
            r'slo="documents"',
        ),
    ),
    "DocwardenNoTraffic": (
        "quiet",
        (
            r"^200 (image|application)/",
            r"^\{instance=",
            r'http_route="/healthz"',
            r'(?s)"status":"ok".*"status":"ok"',
        ),
    ),
    "DocwardenShedding": (
        "overload",
        (
            r"\d+ concurrency-limit",
            r"^\{\} \d",
            ROW + r".*\} [4-8]$",
            r"^\{\} 0\.[0-3]",
            ROW + r".*\} 0\.",
            ROW,
            r"\d+ 127\.0\.0\.1",
        ),
    ),
    "DocwardenStoreUnreachable": (
        "storeless",
        (
            r'operation="(get|put)"',
            r"^\{",
            r"T\S+Z  store\.lost  ConnectionError  1\.",
            r"DOCWARDEN_STORE_URL +redis://127\.0\.0\.1:9/0",
            r"(?s)Could not connect to Redis at 127\.0\.0\.1:9: Connection refused.*no answer",
        ),
    ),
    "DocwardenDeepCheckFailing": (
        "deep",
        (
            r'kind="crash".*\} [1-9]',
            ROW + r".*\} [1-9]",
            r"\d+ (the fork server ended|does not start: ended with status -9)",
            r"\d+ \d+  deep-check-crashed  (application/pdf|image/png)",
            r"suspect +(intact|broken)",
            ROW + r".*\} \d{7}",
        ),
    ),
    "DocwardenDeadMansSwitch": (
        "mute",
        (
            r"^200$",
            r"(?s)Ready.*firing",
            r"^http://127\.0\.0\.1:\d+/api/v2/alerts$",
            r'(?s)DocwardenDeadMansSwitch.*notifications_failed_total\{[^}]*"webhook"[^}]*\} [1-9]',
        ),
    ),
}


def blocks(page: str) -> list[tuple[str, str]]:
    text = (FOLDER / f"{page}.md").read_text()
    return [
        (language, re.sub(rf"(?m)^{indent}", "", block).strip())
        for indent, language, block in BLOCK.findall(text)
    ]


# In the order of incidents, so that each is brought about once.
CASES = [
    pytest.param(incident, page, number, id=f"{incident}: {page} {number + 1}")
    for page, (incident, _) in sorted(EXPECTED.items(), key=lambda item: item[1][0])
    for number in range(len(blocks(page)))
]


AHEAD = 2
"""Incidents that are brought about while the one before them is looked into."""


@pytest.fixture(scope="module")
def incidents(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], System]]:
    """Have one incident at a time, for as long as tests ask for the same one."""
    tests = of_tests(request.session.items, "test_what_a_runbook_says_to_do_names_the_cause")
    names = dict.fromkeys(each.partition(":")[0] for each in tests)
    makers = {
        name: functools.partial(running_incident, tmp_path_factory.mktemp(name), INCIDENTS[name])
        for name in names
    }
    with taking_turns(makers, ahead=AHEAD) as turns:
        yield turns.have


def ask(system: System, query: str) -> str:
    """The rows of an answer as lines: labels and value."""
    lines = []
    for each in system.watch.query(query):
        labels = {name: value for name, value in each["metric"].items() if name != "job"}
        shown = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
        lines.append(f"{{{shown}}} {each['value'][1]}")
    return "\n".join(lines)


def run(system: System, script: str) -> str:
    """What a shell prints; it has to end well."""
    done = subprocess.run(
        ["bash", "-euc", script],
        env=system.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize(("incident", "page", "number"), CASES)
def test_what_a_runbook_says_to_do_names_the_cause(
    incidents: Callable[[str], System], incident: str, page: str, number: int
):
    system = incidents(incident)
    language, block = blocks(page)[number]
    pattern = re.compile(EXPECTED[page][1][number], re.MULTILINE)
    seen = [""]

    def named() -> bool:
        seen[0] = ask(system, block) if language == "promql" else run(system, block)
        return bool(pattern.search(seen[0]))

    try:
        until(pattern.pattern, named, patience=30)
    except AssertionError:
        pytest.fail(f"{block}\n\nhas to print {pattern.pattern} and prints\n\n{seen[0]}")


def test_every_block_of_every_runbook_is_tried():
    pages = {page.stem for page in FOLDER.glob("*.md")}
    assert pages == EXPECTED.keys()
    counts = {page: len(patterns) for page, (_, patterns) in EXPECTED.items()}
    assert counts == {page: len(blocks(page)) for page in pages}


def test_every_incident_is_that_of_a_runbook():
    assert {incident for incident, _ in EXPECTED.values()} == INCIDENTS.keys()
