"""What operators see of a gateway process: metrics, console and pages, built on its parts."""

import time

from docwarden.admin import AdminSite
from docwarden.composition import Parts
from docwarden.console.feed import Feed
from docwarden.console.site import Console
from docwarden.console.standing import read_details
from docwarden.metrics import registry_of
from docwarden.readings import read_all
from docwarden.settings import Settings, describe


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
