"""Installing as the how-to says, and what a new pod does at first."""

import json

import pytest
from tests.cluster import kube
from tests.cluster.documents import served
from tests.cluster.release import merged

DOCUMENTS = 200


def test_the_how_to_installs_without_a_warning_where_restricted_is_enforced(
    installed, release, figure
):
    assert "Warning" not in "\n".join(installed)
    assert "5 of 5 documents arrived intact" in installed[-1]
    pods = release.gateways()
    assert len(pods) == 2
    assert [each for each in pods if not kube.is_ready(each)] == []
    figure("helm test 5 of 5, two pods from the start")


@pytest.mark.usefixtures("installed")
def test_a_normal_start_makes_no_warning(release, figure):
    events = kube.get(
        "events", f"--namespace={release.namespace}", "--field-selector=type=Warning"
    )["items"]
    about = [
        f"{each['reason']}: {each['message']}"
        for each in events
        if each["involvedObject"]["kind"] == "Pod"
    ]
    assert about == []
    figure("no event of the type Warning about a pod")


def test_a_pod_s_first_document_costs_little_more_than_a_later_one(
    running, namespaces, image, clients, figure
):
    ratios = []
    for kind in ("png", "pdf"):
        # Documents that are all different: a later one that is known by its bytes costs less.
        with served(namespaces["archive"], image, f"--mix={kind}=1", "--distinct") as values:
            running.be(merged(values, {"podAnnotations": {"first": kind}}))
            for first, rested, in_a_row in json.loads(
                clients.script("first", *running.addresses())
            ):
                ratios.append(first / rested)
                figure(f"{kind.upper()} {first} ms, later {rested} ms, in a row {in_a_row} ms")
    assert max(ratios) <= 3


def test_documents_arrive_through_the_service_with_their_types(running, clients, figure):
    seen = clients.fetch(running.url, DOCUMENTS)
    figure(", ".join(f"{count} {what}" for what, count in seen.items()))
    assert seen.keys() == {"200 image/png", "200 application/pdf"}
    assert sum(seen.values()) == DOCUMENTS
