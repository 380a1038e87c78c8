"""What a real Alertmanager makes of alerts: which it holds back, and how often it calls."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from docwarden_monitoring.alertmanager import Receivers
from docwarden_monitoring.cause import Cause
from docwarden_monitoring.causes import CAUSES, HEARTBEAT, RECENT
from docwarden_monitoring.documents import generate
from docwarden_monitoring.spans import Scale
from trial.alertmanager import Alertmanager, running_alertmanager
from trial.receiver import Receiver
from trial.waiting import until

BURN = "DocwardenDocumentsBudgetBurn"
EXPLAINING = [each for each in CAUSES if each.explains]
# Long enough to tell one call a minute from one in two, short enough to wait for a few.
MINUTE = 2.0


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    started = Receiver()
    yield started
    started.close()


@pytest.fixture
def alertmanager(tmp_path: Path, receiver: Receiver) -> Iterator[Alertmanager]:
    receivers = Receivers(**{
        name: f"{receiver.url}/{name}" for name in ("pager", "tickets", "heartbeat")
    })  # fmt: skip
    files = generate(receivers=receivers, scale=Scale(MINUTE / 60))
    with running_alertmanager(tmp_path, files["alertmanager.yaml"]) as running:
        yield running


def page(alertmanager: Alertmanager, alert: str, *namespaces: str) -> None:
    """Fire a critical alert in each namespace; an empty one is none."""
    for namespace in namespaces:
        labels = {"namespace": namespace} if namespace else {}
        alertmanager.fire(alert, severity="critical", job="docwarden", **labels)


def explain(alertmanager: Alertmanager, cause: str, **labels: str) -> None:
    """Fire what goes along with a page, and outlasts it."""
    alertmanager.fire(RECENT, severity="none", job="docwarden", cause=cause, **labels)


@pytest.mark.parametrize("cause", EXPLAINING, ids=lambda each: each.alert)
def test_a_page_holds_back_what_it_explains_of_its_own_installation_only(
    alertmanager: Alertmanager, cause: Cause
):
    page(alertmanager, BURN, "one", "two", "")
    explain(alertmanager, cause.alert, namespace="one")
    until("the burn to be held back", lambda: alertmanager.held_back(BURN, namespace="one"))
    assert not alertmanager.held_back(BURN, namespace="two")


def test_no_target_at_all_holds_back_what_remains_of_every_installation(alertmanager: Alertmanager):
    page(alertmanager, BURN, "one", "two", "")
    explain(alertmanager, "DocwardenDown")
    until("every burn to be held back", lambda: alertmanager.held_back(BURN))


def test_what_holds_others_back_is_told_to_nobody(alertmanager: Alertmanager, receiver: Receiver):
    alertmanager.fire(HEARTBEAT, severity="none")
    explain(alertmanager, "DocwardenDown")
    until("it to be held back", lambda: alertmanager.held_back(RECENT))
    alertmanager.fire("DocwardenNoTraffic", severity="warning")
    # Tickets wait longer than what would be told of the other.
    until("a ticket", lambda: receiver.alerts("/tickets"))
    told = {each["labels"]["alertname"] for _, call in receiver.calls for each in call["alerts"]}
    assert told == {HEARTBEAT, "DocwardenNoTraffic"}


def test_the_dead_mans_switch_calls_once_a_minute(alertmanager: Alertmanager, receiver: Receiver):
    alertmanager.fire(HEARTBEAT, severity="none")
    until("a call", lambda: receiver.alerts("/heartbeat"))
    began, minutes = time.monotonic(), 4
    until("more calls", lambda: receiver.alerts("/heartbeat")[minutes:])
    assert time.monotonic() - began == pytest.approx(minutes * MINUTE, rel=0.25)
