from collections import Counter

import pytest

from docwarden.simulator.behaviour import Behaviour
from docwarden.simulator.choosing import Chooser, by_path, is_forced
from docwarden.simulator.documents import Library, library


@pytest.fixture(scope="module")
def held() -> Library:
    return library(["png", "pdf", "corrupt-pdf"])


def kinds(chooser: Chooser, count: int) -> list[str]:
    return [chooser.by_number(number).document.kind for number in range(count)]


def test_usual_mix_has_its_shares(held: Library) -> None:
    counted = Counter(kinds(Chooser(Behaviour(), held, seed=0), 10_000))
    assert counted == {"png": 4951, "pdf": 4029, "corrupt-pdf": 1020}


def test_same_seed_repeats_and_another_does_not(held: Library) -> None:
    first = kinds(Chooser(Behaviour(), held, seed=3), 100)
    assert first == kinds(Chooser(Behaviour(), held, seed=3), 100)
    assert first != kinds(Chooser(Behaviour(), held, seed=4), 100)


def test_switching_faults_on_changes_no_document(held: Library) -> None:
    faulty = Behaviour().changed({"faults": ["hang:10%", "status=500:0.2"], "latency": "1s"})
    assert kinds(Chooser(faulty, held, 0), 500) == kinds(Chooser(Behaviour(), held, 0), 500)


def test_faults_come_in_their_shares(held: Library) -> None:
    faulty = Behaviour().changed({"faults": ["hang:10%", "status=500:0.2"]})
    chooser = Chooser(faulty, held, 0)
    chosen = [chooser.by_number(number).fault for number in range(10_000)]
    counted = Counter(one.fault.name if one else "" for one in chosen)
    assert 900 < counted["hang"] < 1100
    assert 1880 < counted["status"] < 2120
    assert {one.parameter for one in chosen if one and one.fault.name == "status"} == {500.0}


def test_fault_without_a_share_spoils_every_answer(held: Library) -> None:
    chooser = Chooser(Behaviour().changed({"faults": ["hang"]}), held, 0)
    assert all(chooser.by_number(number).fault for number in range(1000))


def test_kind_without_weight_is_never_served(held: Library) -> None:
    chooser = Chooser(Behaviour().changed({"mix": "png=0,pdf=1"}), held, 0)
    assert set(kinds(chooser, 1000)) == {"pdf"}


def test_path_says_fault_parameter_and_document(held: Library) -> None:
    choice = by_path("/fault/truncate/0.3/7.png", held)
    assert choice.fault
    assert (choice.fault.fault.name, choice.fault.parameter) == ("truncate", 0.3)
    assert choice.document.kind == "png"
    assert by_path("/fault/hang/7", held).document.kind == "pdf"
    assert by_path("/fault/hang/7.unknown", held).document.kind == "pdf"
    assert by_path("/document/corrupt-pdf/7", held).document.kind == "corrupt-pdf"
    assert by_path("/document/corrupt-pdf/7", held).fault is None


@pytest.mark.parametrize("path", ["/fault/", "/document/", "/fault//1", "/fault/x/1"])
def test_path_that_does_not_read_is_refused(held: Library, path: str) -> None:
    with pytest.raises(ValueError, match=r"a path here|no fault"):
        by_path(path, held)


@pytest.mark.parametrize("path", ["/", "/7", "/faults", "/a/fault/hang/1", "*", ""])
def test_other_paths_are_answered_at_random(path: str) -> None:
    assert not is_forced(path)
