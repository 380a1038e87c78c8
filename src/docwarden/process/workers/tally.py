"""The metrics of all workers, including those that have ended or do not answer.

Prometheus takes a counter that goes down for a restart, and its value for new growth: replacing one
worker out of four would look like all the past work of the other three in an instant.
"""

from collections.abc import Mapping

from prometheus_client.metrics_core import Metric

from docwarden.process.workers.merging import cumulative, merge, parse
from docwarden.process.workers.worker import Worker


class Tally:
    """Remembers the counters of each worker."""

    def __init__(self) -> None:
        self._last: dict[Worker, list[Metric]] = {}
        self._past: list[Metric] = []

    def add_up(self, answers: Mapping[Worker, str | None]) -> list[Metric]:
        """Return the metrics of all workers together.

        What a worker counted after the last scrape is lost when it ends.

        Args:
            answers: for each running worker its metrics in Prometheus text format, or None if it
                did not answer: its last counters are kept, its gauges are not.
        """
        for ended in [worker for worker in self._last if worker not in answers]:
            self._past = merge((self._past, cumulative(self._last.pop(ended))))
        shown = [self._past]
        for worker, text in answers.items():
            if text is None:
                shown.append(cumulative(self._last.get(worker, ())))
            else:
                self._last[worker] = parse(text)
                shown.append(self._last[worker])
        return merge(shown)
