"""Decides when an upstream is failing: many failures in a row, or hardly anything else.

The rules:

1. A connection's failure counts against the upstream each time. A document's counts once in a row,
   and once in each tenth of the window: a document that always fails, however often it is asked
   for, is one failure among the others.
2. An upstream that is silent for one document while it answers others is healthy; the silence is
   then that document's failure.
3. A row is too long when chance would produce it once in a million: five where nearly all results
   were good, twenty where half of them were.
4. A share is too large when hardly anything else happens within the window, given enough results.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

BUCKETS: Final = 10
"""Steps in which the window slides; a result leaves it between 9/10 and 10/10 of its length."""

LONGEST_ROW: Final = 40
"""Limit of a row whatever the usual share; a share of seven in ten would explain as many."""

ASSUMED_SUCCESSES: Final = 10
"""Counted in advance, so that a single failure does not look usual."""

RESULTS_KEPT: Final = 100
"""Results that the usual share is estimated from; at this many, all counts are halved."""

DOCUMENTS_KEPT: Final = 1000
"""Documents told apart in a row or a tenth of the window; beyond that, every failure counts."""


class Evidence(NamedTuple):
    """One failed attempt.

    Attributes:
        cause: what happened; one of a bounded set of texts.
        document_id: the document requested.
        of_document: whether it may be the document's fault and not the upstream's.
        silent_since: monotonic time since which nothing arrived, if silence was the failure.
    """

    cause: str
    document_id: str
    of_document: bool = False
    silent_since: float | None = None


class FailureEvidence:
    """Counts results, and decides on each failure whether it is one too many.

    Args:
        in_a_row: Failures in a row that are too many where failures are rare.
        share: Share of failures in the window that is too much, from 0 to 1.
        min_results: Results in the window from which on the share counts.
        window: Length of the sliding window, seconds.
        chance: Probability below which a row is too long, given the usual share of failures; 1
            asks for no more than `in_a_row`.
    """

    __slots__ = (
        "_bucket",
        "_bucket_documents",
        "_bucket_ends",
        "_chance",
        "_failures",
        "_in_a_row",
        "_last_success",
        "_min_results",
        "_row_documents",
        "_row_length",
        "_share",
        "_successes",
        "_usual_failures",
        "_usual_successes",
        "_width",
    )

    def __init__(
        self,
        *,
        in_a_row: int,
        share: float,
        min_results: int,
        window: float,
        chance: float = 1e-6,
    ) -> None:
        self._in_a_row = in_a_row
        self._chance = chance
        self._share = share
        self._min_results = min_results
        self._width = window / BUCKETS
        self._successes = [0] * BUCKETS
        self._failures = [0] * BUCKETS
        self._row_documents: set[str] = set()
        self._bucket_documents: set[str] = set()
        self._usual_successes = 0
        self._usual_failures = 0
        self._last_success = float("-inf")
        self.clear()

    def clear(self) -> None:
        """Reset the row and the window, but not the usual share."""
        self._row_length = 0
        self._row_documents.clear()
        self._bucket = 0
        self._bucket_documents.clear()
        self._bucket_ends = float("-inf")
        self._successes[:] = self._failures[:] = [0] * BUCKETS

    def succeeded(self, now: float) -> None:
        """Count a success."""
        if now >= self._bucket_ends:
            self._slide(now)
        self._last_success = now
        self._successes[self._bucket] += 1
        self._usual_successes += 1
        if self._row_length:
            self._usual_failures += self._row_length
            self._row_length = 0
            self._row_documents.clear()
        if self._usual_successes >= RESULTS_KEPT:
            self._usual_successes //= 2
            self._usual_failures //= 2

    def failed(self, now: float, evidence: Evidence | None = None) -> bool:
        """Count a failure, and return whether there are too many now."""
        if now >= self._bucket_ends:
            self._slide(now)
        document = self._document(evidence)
        if _is_new(document, self._bucket_documents):
            self._failures[self._bucket] += 1
        if _is_new(document, self._row_documents):
            self._row_length += 1
            if self._row_length >= self._longest_row():
                return True
        failures = sum(self._failures)
        results = failures + sum(self._successes)
        return results >= self._min_results and failures >= self._share * results

    def _document(self, evidence: Evidence | None) -> str | None:
        """Return the document that may have caused a failure, None if the upstream did."""
        if evidence is None or not evidence.of_document:
            return None
        since = evidence.silent_since
        return evidence.document_id if since is None or self._last_success >= since else None

    def _longest_row(self) -> int:
        """Return the length at which chance no longer explains a row of failures."""
        usual = self._usual_failures
        if not usual:
            return self._in_a_row
        share = usual / (usual + self._usual_successes + ASSUMED_SUCCESSES)
        by_chance = math.ceil(math.log(self._chance) / math.log(share))
        return max(self._in_a_row, min(by_chance, LONGEST_ROW))

    def _slide(self, now: float) -> None:
        """Clear the buckets that have expired, and make the one of `now` current."""
        self._bucket_documents.clear()
        since_end = now - self._bucket_ends
        if since_end >= self._width * BUCKETS:
            # Nothing in the window (or nothing counted yet): it starts anew at this result.
            self._successes[:] = self._failures[:] = [0] * BUCKETS
            self._bucket_ends = now + self._width
            return
        for _ in range(int(since_end / self._width) + 1):
            self._bucket = (self._bucket + 1) % BUCKETS
            self._successes[self._bucket] = self._failures[self._bucket] = 0
            self._bucket_ends += self._width


def _is_new(document: str | None, known: set[str]) -> bool:
    """Whether a failure counts in addition to those of `known`; adds its document to them."""
    if document is None:
        return True
    if document in known:
        return False
    if len(known) < DOCUMENTS_KEPT:
        known.add(document)
    return True
