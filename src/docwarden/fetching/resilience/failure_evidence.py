"""When results say that an upstream fails: many failures in a row, or nearly only failures.

The rules:

1. What happens to a connection speaks against the upstream each time. What happens to a document
   does so once in a row, and once in each tenth of the window: one document that always fails,
   asked for again and again, is one failure among the others.
2. An upstream that stays silent for one document while it answers others is well; then silence is
   what happened to a document.
3. A row is too long when chance would bring it once in a million: five where nearly all results
   were good, twenty where half of them were.
4. A share is too large when nearly nothing else comes, within a window and from enough results.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

BUCKETS: Final = 10
"""Steps in which the window slides; a result leaves it between 9/10 and 10/10 of its length."""

LONGEST_ROW: Final = 40
"""Failures in a row that no usual share explains: that of seven failures in ten."""

ASSUMED_SUCCESSES: Final = 10
"""So that a single failure is not taken for what is usual."""

RESULTS_KEPT: Final = 100
"""Results that the usual share is told from; at this many all counts are halved."""

DOCUMENTS_KEPT: Final = 1000
"""Documents told apart in a row or a tenth of the window; more than that many fail for a cause."""


class Evidence(NamedTuple):
    """One failed attempt.

    Attributes:
        cause: what happened, in bounded words.
        document_id: what was asked for.
        of_document: whether it may be the document's and not the upstream's.
        silent_since: monotonic seconds since when nothing came, where that is all that happened.
    """

    cause: str
    document_id: str
    of_document: bool = False
    silent_since: float | None = None


class FailureEvidence:
    """Counts results and tells with each failure whether it is one too many.

    Args:
        in_a_row: Failures without a success between them that are too many where few are usual.
        share: Share of failures in the window that is too much, from 0 to 1.
        min_results: Results in the window below which the share says nothing.
        window: Length of the sliding window, seconds.
        chance: How rare a row has to be by the usual share of failures; 1 asks for no more than
            `in_a_row`.
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
        """Forget the row and the window; what is usual stays."""
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
        """Count a failure and tell whether there are too many now."""
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
        """Return the document that a failure may be due to, None where it is the upstream's."""
        if evidence is None or not evidence.of_document:
            return None
        since = evidence.silent_since
        return evidence.document_id if since is None or self._last_success >= since else None

    def _longest_row(self) -> int:
        """Return the length from which on chance does not explain a row of failures."""
        usual = self._usual_failures
        if not usual:
            return self._in_a_row
        share = usual / (usual + self._usual_successes + ASSUMED_SUCCESSES)
        by_chance = math.ceil(math.log(self._chance) / math.log(share))
        return max(self._in_a_row, min(by_chance, LONGEST_ROW))

    def _slide(self, now: float) -> None:
        """Empty the buckets whose time came round and make the one of `now` current."""
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
    """Whether a failure counts beside those of the `known` documents, to which it is added."""
    if document is None:
        return True
    if document in known:
        return False
    if len(known) < DOCUMENTS_KEPT:
        known.add(document)
    return True
