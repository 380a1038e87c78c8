"""The memory allowance: never exceeded, never lost, first come first served."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from docwarden.core.document import Lease, Memory

MOST = 100


def test_room_goes_to_who_waited_first():
    memory = Memory(10)
    first, second, third = (Lease(memory) for _ in range(3))
    granted: list[str] = []
    assert first.grow(8)
    assert not second.grow(5)
    second.grow_later(5, lambda: granted.append("second"))
    assert not third.grow(1), "nobody overtakes who waits"
    third.grow_later(1, lambda: granted.append("third"))
    assert granted == []
    first.release()
    assert granted == ["second", "third"]
    assert memory.held == 6


def test_any_number_may_give_back_at_once_what_they_are_granted():
    memory = Memory(10)
    first = Lease(memory)
    assert first.grow(10)
    waiting = [Lease(memory) for _ in range(5_000)]
    for lease in waiting:
        lease.grow_later(10, lease.release)
    first.release()
    assert all(lease.released for lease in waiting)
    assert memory.held == 0


def test_lease_that_is_released_while_it_waits_is_forgotten():
    memory = Memory(10)
    first, second = Lease(memory), Lease(memory)
    granted: list[str] = []
    first.grow(10)
    second.grow_later(5, lambda: granted.append("second"))
    second.release()
    first.release()
    assert granted == []
    assert memory.held == 0


def test_shared_lease_is_given_back_by_the_last_holder():
    memory = Memory(10)
    lease = Lease(memory)
    lease.grow(4)
    lease.share()
    lease.release()
    assert memory.held == 4
    lease.release()
    assert (memory.held, lease.released) == (0, True)
    lease.release()
    assert memory.held == 0


class MemoryMachine(RuleBasedStateMachine):
    """Any order of taking, waiting and giving back."""

    def __init__(self):
        super().__init__()
        self.memory = Memory(MOST)
        self.leases: list[Lease] = []

    @rule(size=st.integers(0, MOST))
    def take(self, size):
        lease = Lease(self.memory)
        if not lease.grow(size):
            lease.grow_later(size, lambda: None)
        self.leases.append(lease)

    @rule(index=st.integers(0, 1000), size=st.integers(0, 20))
    def grow(self, index, size):
        if self.leases:
            self.leases[index % len(self.leases)].grow(size)

    @rule(index=st.integers(0, 1000))
    def give_back(self, index):
        if self.leases:
            self.leases.pop(index % len(self.leases)).release()

    @invariant()
    def held_is_the_sum_and_within_the_allowance(self):
        assert self.memory.held == sum(lease.size for lease in self.leases)
        assert 0 <= self.memory.held <= MOST

    def teardown(self):
        for lease in self.leases:
            lease.release()
        assert self.memory.held == 0


TestMemory = MemoryMachine.TestCase
TestMemory.settings = settings(max_examples=50, stateful_step_count=40)


def test_share_is_exchanged_for_a_part_even_when_nothing_is_left():
    memory = Memory(100)
    lease = Lease(memory)
    assert lease.grow(100)
    part = lease.exchange(10)
    assert (memory.held, part.size, lease.released) == (10, 10, True)
    part.release()
    assert memory.held == 0


def test_exchange_of_a_shared_lease_leaves_the_other_holder_its_own():
    memory = Memory(100)
    lease = Lease(memory)
    assert lease.grow(60)
    lease.share()
    part = lease.exchange(10)
    assert memory.held == 70
    lease.release()
    assert memory.held == 10
    part.release()
    assert memory.held == 0


def test_memory_tells_what_is_missing_until_it_was_asked():
    memory = Memory(100)
    lease = Lease(memory)
    assert lease.grow(90)
    assert memory.take_missing() == 0
    assert not Lease(memory).grow(30)
    assert memory.take_missing() == 20
    assert memory.take_missing() == 0
    Lease(memory).grow_later(40, lambda: None)
    assert [memory.take_missing() for _ in range(2)] == [30, 30]
    lease.release()
    assert memory.take_missing() == 0
