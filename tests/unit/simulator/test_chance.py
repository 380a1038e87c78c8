import pytest

from docwarden.simulator.chance import DOCUMENT, FAULT, draw, latency


def test_draw_depends_on_seed_number_and_purpose_only() -> None:
    assert draw(1, 2, DOCUMENT) == draw(1, 2, DOCUMENT)
    others = {draw(1, 2, DOCUMENT), draw(2, 2, DOCUMENT), draw(1, 3, DOCUMENT), draw(1, 2, FAULT)}
    assert len(others) == 4


def test_draws_are_spread_evenly() -> None:
    tenths = [0] * 10
    for number in range(20_000):
        value = draw(7, number, DOCUMENT)
        assert 0 <= value < 1
        tenths[int(value * 10)] += 1
    assert all(1850 < count < 2150 for count in tenths)


def test_draws_of_two_purposes_are_independent() -> None:
    both = sum(draw(0, n, DOCUMENT) < 0.5 and draw(0, n, FAULT) < 0.5 for n in range(20_000))
    assert 4800 < both < 5200


@pytest.mark.parametrize(
    ("text", "chance", "seconds"),
    [
        ("50ms", 0.9, 0.05),
        ("fixed=2s", 0.1, 2.0),
        ("uniform=10ms..30ms", 0.5, 0.02),
        ("uniform=10ms..30ms", 0.0, 0.01),
        ("exponential=100ms", 0.0, 0.0),
        ("exponential=100ms", 1 - 0.36787944117, 0.1),
    ],
)
def test_latency_turns_a_draw_into_seconds(text: str, chance: float, seconds: float) -> None:
    assert latency(text).seconds(chance) == pytest.approx(seconds)


def test_no_latency_is_false_and_any_is_true() -> None:
    assert not latency("0s")
    assert latency("uniform=0s..1ms")


@pytest.mark.parametrize(
    "text", ["", "soon", "uniform=2s..1s", "normal=1s", "fixed=-1s", "2h", "fixed=nan", "5"]
)
def test_latency_that_does_not_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"latency|duration|hour"):
        latency(text)
