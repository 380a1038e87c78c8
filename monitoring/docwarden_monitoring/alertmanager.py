"""An Alertmanager configuration in which one fault causes one page."""

from dataclasses import dataclass
from typing import Any, Final

from docwarden_monitoring.causes import CAUSES, HEARTBEAT, RECENT, UNNAMED
from docwarden_monitoring.objectives import BURNS
from docwarden_monitoring.spans import Scale

_INSTALLATION: Final = ["namespace", "job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivers:
    """Webhooks: who is woken, where tickets go, who watches for the dead-man's switch."""

    pager: str = "http://pager.example/docwarden"
    tickets: str = "http://tickets.example/docwarden"
    heartbeat: str = "http://heartbeat.example/docwarden"


def configuration(receivers: Receivers, scale: Scale) -> dict[str, Any]:
    """Return the content of alertmanager.yaml."""
    return {
        "route": _route(scale),
        "inhibit_rules": _inhibit_rules(),
        "receivers": [
            {"name": name, "webhook_configs": [{"url": url, "send_resolved": resolved}]}
            for name, url, resolved in (
                ("pager", receivers.pager, True),
                ("tickets", receivers.tickets, True),
                ("heartbeat", receivers.heartbeat, False),
            )
        ],
    }


def _route(scale: Scale) -> dict[str, Any]:
    return {
        "receiver": "tickets",
        "group_by": ["namespace", "job", "alertname"],
        "group_wait": scale("30s"),
        "group_interval": scale("5m"),
        "repeat_interval": "12h",
        "routes": [
            {
                "matchers": [f'alertname="{HEARTBEAT}"'],
                "receiver": "heartbeat",
                "group_wait": "0s",
                # A call each of these; the watcher raises the alarm after three without one.
                "group_interval": scale("1m"),
                # Counted from the end of the last call: a whole minute would not be over yet when
                # the next is due, and each second call would be left out. Alertmanager remarks
                # at its start that calls come by the other interval then, which is what is meant.
                "repeat_interval": scale("30s"),
            },
            {
                "matchers": ['severity="critical"'],
                "receiver": "pager",
                # Long enough for both alerts of one evaluation, short enough for a night.
                "group_wait": scale("15s"),
                # An end is told with the next interval of its group.
                "group_interval": scale("15s"),
                "repeat_interval": "4h",
            },
        ],
    }


def _inhibit_rules() -> list[dict[str, Any]]:
    critical, warning = 'severity="critical"', 'severity="warning"'
    # It holds others back and is of no interest itself; what always fires silences it.
    rules = [_inhibit_rule([f'alertname="{HEARTBEAT}"'], [f'alertname="{RECENT}"'], [])]
    for cause in CAUSES:
        if not cause.explains:
            continue
        source = [f'alertname="{RECENT}"', f'cause="{cause.alert}"']
        target = [f'alertname=~"{"|".join(cause.explains)}"']
        rules.append(_inhibit_rule(source, target, _INSTALLATION))
        if cause.alert == UNNAMED:
            # No target is left to name a namespace, so whatever still fires follows from it.
            rules.append(_inhibit_rule([*source, 'namespace=""'], target, ["job"]))
    fast, slow = (each.long for each in BURNS if each.severity == "critical")
    rules.append(
        _inhibit_rule(
            [critical, f'long_window="{fast}"'],
            [critical, f'long_window="{slow}"'],
            [*_INSTALLATION, "slo"],
        )
    )
    # A page silences the tickets on the same thing. Alertmanager takes two absent labels for
    # equal, hence one rule for alerts with an objective and one for those without.
    rules.append(
        _inhibit_rule([critical, 'slo!=""'], [warning, 'slo!=""'], [*_INSTALLATION, "slo"])
    )
    rules.append(
        _inhibit_rule([critical, 'slo=""'], [warning, 'slo=""'], [*_INSTALLATION, "alertname"])
    )
    return rules


def _inhibit_rule(source: list[str], target: list[str], equal: list[str]) -> dict[str, Any]:
    return {"source_matchers": source, "target_matchers": target, "equal": equal}
