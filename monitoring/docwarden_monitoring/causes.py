"""Every alert on a cause, and the alerts that keep alerting itself in order."""

from typing import Final

from docwarden_monitoring.cause import Cause
from docwarden_monitoring.pages import PAGES
from docwarden_monitoring.tickets import TICKETS

UNNAMED: Final = "DocwardenDown"
"""The alert that has no namespace to name where no target was known within the last hour."""

RECENT: Final = "DocwardenInhibitor"
"""Fires for a page that fires, or did so until a short while ago; `cause` names it."""

HEARTBEAT: Final = "DocwardenDeadMansSwitch"

_EXPLAINING: Final = "|".join(each.alert for each in PAGES if each.explains)

MACHINERY: Final = (
    Cause(
        alert=RECENT,
        severity="none",
        expr=(
            "max by (namespace, job, cause) (label_replace("
            f'ALERTS{{alertname=~"{_EXPLAINING}",severity="critical",alertstate="firing"}},'
            ' "cause", "$1", "alertname", "(.*)"))'
        ),
        wait="0s",
        # The burn-rate page looks back two minutes and outlasts that; evaluations and the way to
        # Alertmanager take one more.
        outlast="4m",
        summary="Inhibits the alerts that {{ $labels.cause }} explains.",
        description=(
            "{{ $labels.cause }} pages, or did within the last 4 minutes. This alert notifies"
            " nobody: it inhibits burn-rate alerts on the same fault."
        ),
        panel="Alerts firing",
    ),
    Cause(
        alert=HEARTBEAT,
        severity="none",
        expr="vector(1)",
        wait="0s",
        summary="Alerting works.",
        description="Always fires. Its receiver raises the alarm when it stops arriving.",
        panel="Alerts firing",
    ),
)

CAUSES: Final = (*PAGES, *TICKETS, *MACHINERY)
