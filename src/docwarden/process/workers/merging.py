"""Merges the metrics of several processes: sums, or the maximum where a sum makes no sense."""

from collections.abc import Iterable
from typing import Final

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

# Stalls, limits per process, start times and constants are not added up.
_LARGEST: Final = frozenset(
    (
        "docwarden_build_info",
        "docwarden_draining",
        "docwarden_event_loop_stall_seconds",
        "process_max_fds",
        "process_start_time_seconds",
    )
)


_CUMULATIVE: Final = ("counter", "histogram")


def parse(exposition: str) -> list[Metric]:
    """Return the families of a text in Prometheus format.

    Raises:
        ValueError: the text is malformed.
    """
    return list(text_string_to_metric_families(exposition))


def cumulative(families: Iterable[Metric]) -> list[Metric]:
    """Return the families that only grow while a process lives."""
    return [family for family in families if family.type in _CUMULATIVE]


def merge(processes: Iterable[Iterable[Metric]]) -> list[Metric]:
    """Return the families of several processes as those of one, sample by sample."""
    families: dict[str, Metric] = {}
    values: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}
    for process in processes:
        for family in process:
            families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            add = max if family.name in _LARGEST else float.__add__
            for sample in family.samples:
                key = (family.name, sample.name, tuple(sample.labels.items()))
                value = float(sample.value)
                values[key] = add(values[key], value) if key in values else value
    for (family_name, sample_name, labels), value in values.items():
        families[family_name].add_sample(sample_name, dict(labels), value)
    return list(families.values())
