import re

import pytest

from docwarden.integrity.checks import Check, Mode
from docwarden.integrity.formats.pdf import PdfCheck
from docwarden.integrity.formats.png_checks import PngCheck, PngReason
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.registry import CHECKS, FORMATS, REASONS
from docwarden.integrity.verdict import Finding, Verdict, first_enforced

KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@pytest.mark.parametrize("name", [*CHECKS, *REASONS])
def test_names_are_kebab_case(name):
    assert KEBAB.fullmatch(name)


def test_checks_stand_in_the_order_of_their_tiers():
    tiers = [check.tier for check in CHECKS]
    assert tiers == sorted(tiers)
    assert set(tiers) == {0, 1, 2, 3, 4}


def test_every_check_but_that_of_the_status_has_a_reason():
    # A status has the reason that the attempt gives it, with the number.
    assert {reason.check for reason in REASONS} == set(CHECKS) - {Check.STATUS}


def test_reasons_that_the_upstream_client_uses_belong_to_tier_zero():
    for code in ("body-truncated", "bytes-after-body", "content-coded", "empty-body"):
        assert next(reason for reason in REASONS if reason == code).check.tier == 0


def test_finding_takes_check_and_tier_from_its_reason():
    finding = Finding.of(PngReason.CRC_MISMATCH, "here")
    assert (finding.reason, finding.check, finding.tier) == (
        "png-crc-mismatch",
        PngCheck.STRUCTURE,
        2,
    )


def test_every_media_type_has_an_extension():
    assert {kind.extension for kind in FORMATS} == {"pdf", "png", "jpg", "gif", "webp", "tiff"}


def test_verdict_is_intact_exactly_when_nothing_is_rejected():
    finding = Finding.of(Reason.TRAILING_BYTES, "5 bytes")
    assert Verdict("image/png", (finding,), None, b"e").intact
    assert not Verdict("image/png", (finding,), finding, b"e").intact


def test_first_enforced_skips_what_is_observed():
    observed = Finding.of(Reason.TRAILING_BYTES, "")
    enforced = Finding.of(Reason.IMAGE_UNDECODABLE, "")
    assert first_enforced((observed, enforced), Policy().modes) is enforced


def test_default_policy_is_that_of_the_checks():
    assert Policy.parse().modes == {check: check.default_mode for check in CHECKS}
    assert Policy.parse().tier == 3


def test_policy_changes_the_named_checks_only():
    policy = Policy.parse(" trailing-bytes=enforce, pdf-parse = observe ,", tier=2)
    changed = {check for check in CHECKS if policy.modes[check] is not check.default_mode}
    assert changed == {Check.TRAILING_BYTES, PdfCheck.PARSE}
    assert policy.modes[Check.TRAILING_BYTES] is Mode.ENFORCE
    assert policy.tier == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("trailing-bytes", "'trailing-bytes' is not written check=mode"),
        ("trailing=enforce", "no check is named 'trailing'; there are status, "),
        ("pdf-parse=off", "no mode is named 'off'; there are enforce, observe"),
        ("pdf-parse=observe,pdf-parse=enforce", "pdf-parse is named twice"),
        ("media-type=observe", "what fails media-type cannot be delivered, so it is enforced"),
        ("size=enforce,length=observe", "'length=observe': what fails length cannot be delivered"),
    ],
)
def test_wrong_part_of_a_policy_is_named(text, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        Policy.parse(text)


@pytest.mark.parametrize("tier", [-1, 0, 5])
def test_tier_that_does_not_exist_is_refused(tier):
    with pytest.raises(ValueError, match="1 to 4"):
        Policy.parse(tier=tier)
