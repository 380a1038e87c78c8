"""Verification of documents, each sequence of bytes once.

Rules of this file
    - Tiers 1 and 2 run in place; a document above `THREAD_FROM` bytes has them in a thread.
    - Tiers 3 and 4 run in the deep checker's processes, and only if nothing was rejected before.
      A document that its format's record calls small is decoded in place.
    - Equal bytes that are verified at the same time share one check. It is cancelled when its last
      waiter is.
    - Verdicts are cached, and the least recently used are evicted. A verdict that rests on a crash,
      timeout or memory failure of the deep check is not cached: it may say more about the moment
      than about the document.
    - Nothing here has a task or a timer of its own: callers have both.
"""

import asyncio
import math
import secrets
from collections import OrderedDict
from collections.abc import Coroutine
from functools import partial
from typing import Any, Final

import xxhash

from docwarden.integrity.checks import Check
from docwarden.integrity.deep.schedule import DeepChecksFullError, Job
from docwarden.integrity.deep.supervisor import DeepChecker
from docwarden.integrity.policy import Policy
from docwarden.integrity.registry import MEDIA_TYPES
from docwarden.integrity.tiers import inspect_bytes
from docwarden.integrity.verdict import Data, Finding, Verdict, first_enforced

THREAD_FROM: Final = 256 << 10
"""Bytes from which tiers 1 and 2 leave the event loop; docs/explanation/integrity.md has times."""

_DEEP_TIER: Final = 3

Inspected = tuple[str | None, tuple[Finding, ...]]
"""The result of tiers 1 and 2: the media type and the failed checks."""


class _Check:
    """A check in progress, and its waiters."""

    __slots__ = ("data", "deadline", "job", "key", "waiters")

    def __init__(self, key: int, data: Data, deadline: float) -> None:
        self.key = key
        self.data = data
        self.deadline = deadline
        self.job: Job | None = None
        self.waiters: list[asyncio.Future[Verdict]] = []

    def finish(self, outcome: Verdict | BaseException) -> None:
        """Resolve all waiters."""
        for waiter in self.waiters:
            if waiter.done():
                continue
            if isinstance(outcome, BaseException):
                waiter.set_exception(outcome)
            else:
                waiter.set_result(outcome)


class Verifier:
    """Decides whether bytes are an intact document.

    Args:
        policy: Which checks run, and which are enforced.
        deep: Runs tiers 3 and 4; without one, verification ends with tier 2.
        remembered: How many verdicts are cached; each takes less than a kilobyte.
        seed: Of the digest that is the key of the cache. Random, so that nobody can craft a broken
            document with the key of an intact one; tests may fix it.
    """

    __slots__ = ("_deep", "_pending", "_policy", "_remembered", "_seed", "_verdicts")

    def __init__(
        self,
        *,
        policy: Policy,
        deep: DeepChecker | None = None,
        remembered: int = 4096,
        seed: int | None = None,
    ) -> None:
        self._policy = policy
        self._deep = deep
        self._remembered = remembered
        self._seed = secrets.randbits(64) if seed is None else seed
        # A dict would search for its oldest entry past all those that were evicted before.
        self._verdicts: OrderedDict[int, Verdict] = OrderedDict()
        self._pending: dict[int, _Check] = {}

    def digest(self, data: Data) -> int:
        """Return the key of `data` in the cache: its XXH3 digest, 128 bits."""
        key: int = xxhash.xxh3_128_intdigest(data, self._seed)
        return key

    def recall(self, key: int) -> Verdict | None:
        """Return the cached verdict on the document with the digest `key`, if there is one."""
        verdict = self._verdicts.get(key)
        if verdict is not None:
            self._verdicts.move_to_end(key)
        return verdict

    def begin(
        self, key: int, data: Data, deadline: float = math.inf
    ) -> Verdict | Coroutine[Any, Any, Verdict]:
        """Return the verdict on `data` if it can be found in place, else a coroutine for it.

        `key` is the digest of `data`.

        In place it takes microseconds, and needs no timeout. The coroutine raises
        `DeepChecksFullError` if no verdict can be expected before `deadline`, in seconds of the
        event loop's clock. The caller must cancel it at that time.
        """
        if key in self._pending or len(data) >= THREAD_FROM:
            return self._wait(key, data, deadline, None)
        media_type, findings = inspect_bytes(data, self._policy)
        if media_type is not None and self._needs_deep(media_type, findings):
            failures = MEDIA_TYPES[media_type].decode_small(data, self._policy.tier)
            if failures is None:
                return self._wait(key, data, deadline, (media_type, findings))
            findings += tuple(Finding.of(*failure) for failure in failures)
        return self._conclude(key, data, media_type, findings)

    async def verify(self, data: Data) -> Verdict:
        """Return the verdict on `data`, cached or new. Raises nothing but cancellation."""
        key = self.digest(data)
        found = self.recall(key) or self.begin(key, data)
        return found if isinstance(found, Verdict) else await found

    async def _wait(
        self, key: int, data: Data, deadline: float, inspected: Inspected | None
    ) -> Verdict:
        # Within the coroutine: one that is never started can neither join nor leave.
        check = self._pending.get(key)
        waiter: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        if check is None:
            check = self._pending[key] = _Check(key, data, deadline)
            check.waiters.append(waiter)
            self._start(check, inspected)
        else:
            check.waiters.append(waiter)
        try:
            return await waiter
        finally:
            check.waiters.remove(waiter)
            if not check.waiters:
                self._abandon(check)

    def _start(self, check: _Check, inspected: Inspected | None) -> None:
        if inspected is not None:
            self._check_deeper(check, *inspected)
            return
        loop = asyncio.get_running_loop()
        looking = loop.run_in_executor(None, inspect_bytes, check.data, self._policy)
        looking.add_done_callback(partial(self._inspected, check))

    def _inspected(self, check: _Check, looking: "asyncio.Future[Inspected]") -> None:
        if looking.cancelled() or not check.waiters:
            return
        error = looking.exception()
        if error is not None:
            self._settle(check, error)
            return
        self._check_deeper(check, *looking.result())

    def _check_deeper(
        self, check: _Check, media_type: str | None, findings: tuple[Finding, ...]
    ) -> None:
        if self._deep is None or media_type is None or not self._needs_deep(media_type, findings):
            self._settle(check, self._conclude(check.key, check.data, media_type, findings))
            return

        def conclude(deeper: tuple[Finding, ...]) -> None:
            found = findings + deeper
            self._settle(check, self._conclude(check.key, check.data, media_type, found))

        try:
            check.job = self._deep.submit(
                check.data, media_type, self._policy.tier, conclude, check.deadline
            )
        except DeepChecksFullError as full:
            self._settle(check, full)

    def _settle(self, check: _Check, outcome: Verdict | BaseException) -> None:
        self._forget(check)
        check.job = None  # it refers to the check: a cycle that would keep the document
        check.finish(outcome)

    def _forget(self, check: _Check) -> None:
        """Let the next caller begin a new check."""
        if self._pending.get(check.key) is check:
            del self._pending[check.key]

    def _abandon(self, check: _Check) -> None:
        """Cancel a check without waiters."""
        self._forget(check)
        job, check.job = check.job, None
        if job is not None and self._deep is not None:
            self._deep.cancel(job)

    def _needs_deep(self, media_type: str | None, findings: tuple[Finding, ...]) -> bool:
        return (
            self._deep is not None
            and self._policy.tier >= _DEEP_TIER
            and media_type is not None
            and (not findings or first_enforced(findings, self._policy.modes) is None)
        )

    def _conclude(
        self,
        key: int,
        data: Data,
        media_type: str | None,
        findings: tuple[Finding, ...],
    ) -> Verdict:
        rejected = first_enforced(findings, self._policy.modes) if findings else None
        etag = f'"{xxhash.xxh3_128_hexdigest(data)}"'.encode("ascii")
        verdict = Verdict(media_type, findings, rejected, etag)
        if findings and any(finding.check is Check.DEEP_CHECK for finding in findings):
            return verdict
        self._verdicts[key] = verdict
        if len(self._verdicts) > self._remembered:
            self._verdicts.popitem(last=False)
        return verdict
