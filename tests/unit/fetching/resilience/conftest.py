"""Tests here run on a loop whose time jumps: waits are exact and take no time."""

import asyncio
import selectors


class JumpingSelector(selectors.DefaultSelector):
    """Does not wait: where the loop would sleep, its clock moves on instead."""

    def __init__(self):
        super().__init__()
        self.now = 1000.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("the test waits for something that will never happen")
        if not ready:
            self.now += timeout
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop on the clock of its selector."""

    def __init__(self):
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self):
        return self._jumping.now


def pytest_asyncio_loop_factories():
    return {"jumping": JumpingLoop}
