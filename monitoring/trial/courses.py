"""Courses of events that take their time, several at once: most of it they wait.

A course is what a test is about. Its test asks for what came of it, and fails where it failed.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")

AT_ONCE: Final = 5
"""Courses on two cores; each has a gateway, an upstream, Prometheus, Alertmanager and clients."""


@contextmanager
def running_courses(
    courses: dict[str, Callable[[], T]], *, at_once: int = AT_ONCE
) -> Iterator[dict[str, Future[T]]]:
    """Run all courses, so many at once and in their order; those not begun end with the block."""
    pool = ThreadPoolExecutor(at_once)
    try:
        yield {name: pool.submit(course) for name, course in courses.items()}
    finally:
        pool.shutdown(cancel_futures=True)


class InTurn(Generic[T]):
    """Things that take long to set up, each used for a while: the next ones are made meanwhile.

    Args:
        makers: what makes each of them, by name, in the order in which they are asked for.
        pool: sets them up, and takes them down.
        ahead: how many are made before they are asked for.
    """

    def __init__(
        self,
        makers: dict[str, Callable[[], AbstractContextManager[T]]],
        pool: ThreadPoolExecutor,
        *,
        ahead: int,
    ) -> None:
        self._waiting = {name: maker() for name, maker in makers.items()}
        self._pool = pool
        self._ahead = ahead
        self._current: dict[str, tuple[AbstractContextManager[T], Future[T]]] = {}
        self._leaving: list[Future[None]] = []

    def have(self, name: str) -> T:
        """Return the one of that name; those before it are taken down."""
        for earlier in list(self._current):
            if earlier == name:
                break
            self._leave(earlier)
        while self._waiting and (name in self._waiting or len(self._current) <= self._ahead):
            begun = next(iter(self._waiting))
            made = self._waiting.pop(begun)
            self._current[begun] = made, self._pool.submit(made.__enter__)
        return self._current[name][1].result()

    def close(self) -> None:
        """Take down what there is."""
        for name in list(self._current):
            self._leave(name)
        for each in self._leaving:
            each.result()

    def _leave(self, name: str) -> None:
        made, entered = self._current.pop(name)

        def leave() -> None:
            # What did not start has taken itself down; its test has said so.
            if entered.exception() is None:
                made.__exit__(None, None, None)

        self._leaving.append(self._pool.submit(leave))


@contextmanager
def taking_turns(
    makers: dict[str, Callable[[], AbstractContextManager[T]]], *, ahead: int
) -> Iterator[InTurn[T]]:
    """Have things one after the other, and so many set up ahead."""
    # One more that is in use, and one that is taken down.
    with ThreadPoolExecutor(ahead + 2) as pool:
        turns = InTurn(makers, pool, ahead=ahead)
        try:
            yield turns
        finally:
            turns.close()


def of_tests(collected: list[Any], function: str) -> list[str]:
    """Return the ids of the parameters with which pytest will run a test function."""
    return [each.callspec.id for each in collected if getattr(each, "originalname", "") == function]
