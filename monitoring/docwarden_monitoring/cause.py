"""What one alert on a cause consists of."""

from dataclasses import dataclass
from typing import Final

PER_TARGET: Final = "by (namespace, job, instance)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One alert on a cause; `${5m}` is a span that scales, in `expr` and `description`.

    Attributes:
        alert: its name.
        severity: `critical` wakes somebody, `warning` is a ticket, `none` is machinery.
        expr: PromQL.
        wait: how long the condition has to hold.
        outlast: how long it goes on firing after the condition ended, against flapping.
        summary: one line, what is wrong.
        description: what it means and does, with the measured value.
        panel: title of the service dashboard's panel that shows it.
        explains: alerts that follow from this one and are silenced by it while it pages.
    """

    alert: str
    severity: str
    expr: str
    wait: str
    summary: str
    description: str
    panel: str
    outlast: str | None = None
    explains: tuple[str, ...] = ()
