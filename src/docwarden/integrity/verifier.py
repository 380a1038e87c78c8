"""Verification of documents, each sequence of bytes once.

Rules of this file
    - Tiers 1 and 2 run in place; a document above `THREAD_FROM` bytes has them in a thread.
    - Tiers 3 and 4 run in the deep checker's process, and only when nothing is rejected before.
    - Equal bytes in verification at the same moment share one check. It goes on while anybody
      waits for it, and is cancelled with its last waiter.
    - Verdicts are remembered, least recently used forgotten first. A verdict that rests on a
      crash, timeout or memory failure of the deep check is not: it may say more about the moment
      than about the document.
"""

import asyncio
import functools
import secrets
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

import xxhash

from docwarden.integrity.checks import Check
from docwarden.integrity.deep.supervisor import DeepChecker
from docwarden.integrity.policy import Policy
from docwarden.integrity.tiers import inspect_bytes
from docwarden.integrity.verdict import Data, Finding, Verdict, first_enforced

THREAD_FROM: Final = 256 << 10
"""Bytes from which tiers 1 and 2 leave the event loop; docs/explanation/integrity.md has times."""

_DEEP_TIER: Final = 3


@dataclass(slots=True)
class _Shared:
    task: asyncio.Task[Verdict]
    waiters: int = 0


class Verifier:
    """Finds out whether bytes are an intact document.

    Args:
        policy: Which checks run, and which are enforced.
        deep: Runs tiers 3 and 4; without one, verification ends with tier 2.
        remembered: How many verdicts are kept; each takes less than a kilobyte.
        seed: Of the digest that verdicts are remembered under. Random, so that nobody can prepare
            a broken document that is taken for a good one; tests may fix it.
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
        # A dict would look for its oldest entry past all those that were forgotten before.
        self._verdicts: OrderedDict[int, Verdict] = OrderedDict()
        self._pending: dict[int, _Shared] = {}

    def recall(self, data: Data) -> tuple[int, Verdict | None]:
        """Return what a verdict on `data` is remembered under, and the verdict if there is one."""
        key: int = xxhash.xxh3_128_intdigest(data, self._seed)
        verdict = self._verdicts.get(key)
        if verdict is not None:
            self._verdicts.move_to_end(key)
        return key, verdict

    def begin(self, key: int, data: Data) -> Verdict | Coroutine[Any, Any, Verdict]:
        """Return the new verdict on `data` if it is found in place, else what finds it.

        A verdict costs microseconds then, and no timer has to guard them.
        """
        if len(data) >= THREAD_FROM or key in self._pending:
            return self._share(key, functools.partial(self._look_from_thread, key, data))
        media_type, findings = inspect_bytes(data, self._policy)
        if not self._needs_deep(media_type, findings):
            return self._conclude(key, data, media_type, findings)
        work = functools.partial(self._look_deeper, key, data, media_type, findings)
        return self._share(key, work)

    async def verify(self, data: Data) -> Verdict:
        """Return the verdict on `data`, remembered or new. Raises nothing but cancellation."""
        key, verdict = self.recall(data)
        found = verdict or self.begin(key, data)
        return found if isinstance(found, Verdict) else await found

    async def _share(self, key: int, look: Callable[[], Coroutine[Any, Any, Verdict]]) -> Verdict:
        # Not before the first step: who never gets that far can neither count nor leave.
        shared = self._pending.get(key)
        if shared is None:
            shared = self._pending[key] = _Shared(asyncio.create_task(look()))
        shared.waiters += 1
        try:
            return await asyncio.shield(shared.task)
        finally:
            shared.waiters -= 1
            # A newcomer joins neither a check that has ended nor one that is being cancelled.
            if (not shared.waiters or shared.task.done()) and self._pending.get(key) is shared:
                del self._pending[key]
            if not shared.waiters:
                shared.task.cancel()

    async def _look_from_thread(self, key: int, data: Data) -> Verdict:
        media_type, findings = await asyncio.to_thread(inspect_bytes, data, self._policy)
        if not self._needs_deep(media_type, findings):
            return self._conclude(key, data, media_type, findings)
        return await self._look_deeper(key, data, media_type, findings)

    async def _look_deeper(
        self,
        key: int,
        data: Data,
        media_type: str | None,
        findings: tuple[Finding, ...],
    ) -> Verdict:
        if self._deep is not None and media_type is not None:
            findings += await self._deep.check(data, media_type, self._policy)
        return self._conclude(key, data, media_type, findings)

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
