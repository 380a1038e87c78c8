"""What operators see of a gateway process: metrics, console and pages, built on its parts."""

import time

from docwarden.admin.console.details import read_details
from docwarden.admin.console.feed import Feed
from docwarden.admin.console.site import Console
from docwarden.admin.gauges import read_all
from docwarden.admin.site import AdminSite
from docwarden.composition import Parts
from docwarden.settings.settings import Settings, describe
from docwarden.telemetry.metrics import registry_of


class Observability:
    """The operator's side of a gateway process.

    Attributes:
        feed: what the console shows as it changes.
        site: the operator's pages.
    """

    def __init__(self, settings: Settings, parts: Parts) -> None:
        read_all(parts)
        registry = registry_of(parts.metrics)
        self.feed = Feed(
            registry=registry,
            details=lambda: read_details(parts, time.monotonic()),
            failures=parts.failures,
            clock=time.monotonic,
            wall_clock=time.time,
        )
        self.site = AdminSite(
            health=parts.health,
            registry=registry,
            console=Console(
                feed=self.feed, settings=describe(settings), revision=settings.revision
            ),
            revision=settings.revision,
        )
