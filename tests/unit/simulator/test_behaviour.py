import pytest

from docwarden.simulator.behaviour import Behaviour
from docwarden.simulator.faults.table import FAULTS, parse


def test_fields_come_back_as_they_were_given() -> None:
    changes = {
        "mix": {"png": 1.0, "gif": 2.0},
        "faults": ["drip=2048:10%", "delay=2s:0.01"],
        "latency": "uniform=1ms..2ms",
        "capacity": 4,
        "accept_delay": "150ms",
        "listening": False,
    }
    assert Behaviour().changed(changes).as_json() == changes


def test_what_is_not_named_stays() -> None:
    before = Behaviour().changed({"faults": ["hang"], "capacity": 3})
    after = before.changed({"latency": "1s"})
    assert (after.faults, after.capacity) == (before.faults, 3)


@pytest.mark.parametrize(
    ("text", "parameter", "share"),
    [
        ("status", 503, 1),
        ("status=429:20%", 429, 0.2),
        ("delay=250ms:0.5", 0.25, 0.5),
        ("oversize=1GiB", 1024**3, 1),
        ("cut=10%", 0.1, 1),
        ("hang:0.25", 0, 0.25),
    ],
)
def test_fault_is_read_with_parameter_and_share(text: str, parameter: float, share: float) -> None:
    chosen = parse(text)
    assert (chosen.parameter, chosen.share) == (parameter, share)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "hang=5",
        "status=abc",
        "status=199",
        "status=99999999999999999999",
        "delay=2",
        "delay=2h",
        "cut=1.5",
        "cut=nan",
        "flip=0",
        "flip=-1",
        "drip=2TiB",
        "oversize=9999999GiB",
        "hang:2",
        "hang:-1",
        "hang:",
        "hang:nan",
    ],
)
def test_fault_that_does_not_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no fault|fault \w+|share"):
        parse(text)


def test_shares_above_one_together_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 1 together"):
        Behaviour().changed({"faults": ["hang:0.6", "reset:0.6"]})


def test_every_default_parameter_reads() -> None:
    for fault in FAULTS.values():
        assert bool(fault.unit) == bool(fault.default), fault.name
        fault.parameter(None)


@pytest.mark.parametrize(
    "value",
    [
        "png",
        "png=a",
        {"png": "inf"},
        {"png": -1},
        {"png": 0},
        {"png": 10**400},
        {"png": 1e308, "pdf": 1e308},
        7,
        None,
    ],
)
def test_mix_that_does_not_read_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"mix|weight"):
        Behaviour().changed({"mix": value})
