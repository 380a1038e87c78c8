import asyncio

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from docwarden.fetching.store.entry import Copy
from docwarden.fetching.store.memory import ENTRY_SIZE, MemoryStore

IDS = st.sampled_from("01234567")


def copy_of(size, stored_at=0.0):
    return Copy(bytes(size), "image/png", '"x"', stored_at)


class MemoryMachine(RuleBasedStateMachine):
    """The store against a list that is kept in order of use."""

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.most = 5 * ENTRY_SIZE
        self.store = MemoryStore(self.most, ttl=10.0, wall_clock=lambda: self.now)
        self.model: list[tuple[str, Copy]] = []
        self.dropped = 0

    def taken(self):
        return sum(len(copy.body) + ENTRY_SIZE for _, copy in self.model)

    @rule(seconds=st.sampled_from([1.0, 6.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule(document_id=IDS, size=st.integers(min_value=0, max_value=5 * ENTRY_SIZE))
    def put(self, document_id, size):
        copy = copy_of(size, self.now)
        self.store.put(document_id, copy)
        self.model = [entry for entry in self.model if entry[0] != document_id]
        if size + ENTRY_SIZE > self.most:
            self.dropped += 1
            return
        self.model.append((document_id, copy))
        while self.taken() > self.most:
            self.model.pop(0)

    @rule(document_id=IDS)
    def get(self, document_id):
        got = asyncio.run(self.store.get(document_id))
        found = [entry for entry in self.model if entry[0] == document_id]
        self.model = [entry for entry in self.model if entry[0] != document_id]
        if found and self.now - found[0][1].stored_at <= 10.0:
            self.model += found
            assert got is found[0][1]
        else:
            assert got is None

    @invariant()
    def size_is_the_sum_of_the_entries_and_within_the_limit(self):
        assert self.store.size == self.taken() <= self.most
        assert len(self.store) == len(self.model)
        assert self.store.dropped == self.dropped


TestMemoryMachine = MemoryMachine.TestCase


async def test_closed_store_has_forgotten_everything():
    store = MemoryStore(10_000, ttl=10.0, wall_clock=lambda: 0.0)
    store.put("7", copy_of(10))
    await store.close()
    assert await store.get("7") is None
    assert store.size == 0
