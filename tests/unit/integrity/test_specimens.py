import pytest

from docwarden.integrity.deep.supervisor import DeepChecker
from docwarden.integrity.policy import Policy
from docwarden.integrity.registry import MEDIA_TYPES
from docwarden.integrity.specimens import specimens
from docwarden.integrity.verifier import Verifier


@pytest.fixture
async def deep():
    checker = DeepChecker()
    await checker.start()
    yield checker
    await checker.close()


async def test_there_is_an_intact_one_of_each_type_and_no_check_finds_anything(deep):
    verifier = Verifier(policy=Policy.parse("", tier=4), deep=deep)
    seen = [media_type for media_type, _ in specimens()]
    assert sorted(seen) == sorted(MEDIA_TYPES)
    for media_type, document in specimens():
        verdict = await verifier.verify(document)
        assert verdict.media_type == media_type
        assert verdict.findings == ()


async def test_no_check_passes_half_of_one():
    for _, document in specimens():
        verdict = await Verifier(policy=Policy()).verify(document[: len(document) // 2])
        assert not verdict.intact
