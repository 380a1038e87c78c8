"""The metrics of all workers, those that have ended or do not answer included.

A counter that goes down means a restart to Prometheus, which then takes all that is left of it for
new: one worker out of four that is replaced would look like three workers' work in an instant.
"""

from collections.abc import Mapping

from prometheus_client.metrics_core import Metric

from docwarden.process.workers.merging import cumulative, merge, parse
from docwarden.process.workers.worker import Worker


class Tally:
    """Remembers what each worker has counted."""

    def __init__(self) -> None:
        self._last: dict[Worker, list[Metric]] = {}
        self._past: list[Metric] = []

    def add_up(self, answers: Mapping[Worker, str | None]) -> list[Metric]:
        """Return the metrics of all workers together.

        What a worker counted after it was last asked is lost with it.

        Args:
            answers: for each worker that runs its metrics in Prometheus text format, or None where
                it did not answer: what it counted before stays, its gauges do not.
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
