"""The operator's view of a gateway process: metrics, console and pages, built on its parts."""

import os
import time
import traceback

from docwarden.admin.console.feed import Feed
from docwarden.admin.console.reading import OwnProcess, Source
from docwarden.admin.console.site import Console
from docwarden.admin.explain_page import ExplainPage
from docwarden.admin.gauges import read_all
from docwarden.admin.site import AdminSite
from docwarden.composition import Parts
from docwarden.explaining.fetch import Running
from docwarden.settings.settings import Settings, describe
from docwarden.telemetry.logs import Log
from docwarden.telemetry.metrics import registry_of
from docwarden.telemetry.resource import Resource


class Observability:
    """The operator's side of a gateway process.

    Attributes:
        feed: the console's events.
        site: the operator's pages.
    """

    def __init__(self, settings: Settings, parts: Parts) -> None:
        read_all(parts)
        registry = registry_of(parts.metrics)
        own = OwnProcess(parts, registry)
        self.feed = feed_of(own, parts.log)
        self.site = AdminSite(
            health=parts.health,
            registry=registry,
            console=console_of(settings, self.feed),
            reading=lambda tail: own.now(tail=tail).as_json(),
            explain=ExplainPage(settings, parts.log, Running(parts.deep, parts.memory)),
            revision=settings.revision,
        )


def feed_of(source: Source, log: Log) -> Feed:
    """Return the feed of the readings of `source`; errors go to the log."""

    def report(error: Exception) -> None:
        log.event(
            "error",
            "defect",
            f"the console's feed failed: {type(error).__name__}",
            **{
                "exception.type": type(error).__name__,
                "exception.stacktrace": "".join(traceback.format_exception(error)),
            },
        )

    return Feed(source, report=report, clock=time.monotonic, wall_clock=time.time)


def console_of(settings: Settings, feed: Feed) -> Console:
    """Return the console that shows `feed`."""
    return Console(
        feed=feed,
        settings=describe(settings),
        revision=settings.revision,
        resource=Resource.of(os.environ),
        links=settings.links(),
    )
