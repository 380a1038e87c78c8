"""The dashboard for the people who run docwarden: from the objective down to the process."""

from typing import Final

from docwarden_monitoring import service_inside, service_traffic
from docwarden_monitoring.dashboard import Dashboard

SERVICE: Final = Dashboard(
    name="service",
    title="docwarden / Service",
    about="Whether documents reach clients intact and in time, and if not, why.",
    rows=(
        service_traffic.promises(),
        service_traffic.requests(),
        service_traffic.upstream(),
        service_inside.integrity(),
        service_inside.resilience(),
        service_inside.processes(),
        service_inside.logs(),
    ),
)
