"""Tiers 1 and 2 never raise and always end, on any bytes."""

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from docwarden.integrity.policy import Policy
from docwarden.integrity.registry import MEDIA_TYPES, formats_of
from docwarden.integrity.tiers import inspect_bytes

POLICY = Policy.parse(tier=4)
SIGNATURES = (
    b"%PDF-1.7\n",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"\xff\xd8\xff",
    b"GIF89a",
    b"RIFF\x10\0\0\0WEBPVP8 ",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"II+\0\x08\0\0\0",
)
PIECES = (
    b"startxref 9 %%EOF",
    b"xref\n0 1\ntrailer<</Root 1 0 R/Prev 9>>",
    b"1 0 obj<</Type/XRef/Root 1 0 R>>stream",
    b"\0\0\0\0IEND\xaeB`\x82",
    b"\xff\xd9",
    b"\xff\xda\0\x08",
    b"\xff\xc0\0\x0b\x08\0\x01\0\x01\x01\x01\x11\0",
    b",\0\0\0\0\x01\0\x01\0\0\x02\x01\0\0;",
    b"ANMF\x18\0\0\0",
)
RELAXED = settings(deadline=2_000, suppress_health_check=[HealthCheck.function_scoped_fixture])

soup = st.builds(
    lambda head, parts: head + b"".join(parts),
    st.sampled_from(SIGNATURES),
    st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=64)), max_size=12),
)


@RELAXED
@given(st.one_of(st.binary(max_size=2_048), soup))
@example(b"%PDF-startxref" + b"9" * 5_000 + b"%%EOF")
def test_any_bytes_get_an_answer_of_the_closed_sets(data):
    media_type, findings = inspect_bytes(data, POLICY)
    assert media_type is None or media_type in MEDIA_TYPES
    assert media_type is not None or findings
    assert all(finding.tier == finding.check.tier <= 2 for finding in findings)
    asked = [formats_of(finding.check) for finding in findings]
    assert media_type is None or all(MEDIA_TYPES[media_type] in formats for formats in asked)


@RELAXED
@given(st.data())
def test_mutated_documents_get_an_answer(documents, data):
    document = documents[data.draw(st.sampled_from(sorted(documents)))]
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(document)))
        gone = data.draw(st.integers(0, 64))
        document = document[:at] + data.draw(st.binary(max_size=16)) + document[at + gone :]
    first = inspect_bytes(document, POLICY)
    assert inspect_bytes(document, POLICY) == first


def _without_mark(pdf):
    return pdf.rpartition(b"%%EOF")[0].rstrip()


@RELAXED
@given(st.data())
def test_no_true_prefix_of_a_document_passes(documents, data):
    name = data.draw(st.sampled_from(sorted(documents)))
    whole = _without_mark(documents[name]) if name.startswith("pdf") else documents[name]
    # A PDF may lack its end mark, a WebP its padding byte, a GIF its trailer, a JPEG its end mark
    # where tier 3 looks at the rest; an updated PDF begins with its older revision, whole.
    least = 2 if name.startswith(("webp", "gif")) else 1
    prefix = whole[: data.draw(st.integers(0, len(whole) - least))]
    older = documents["pdf-table"] if name == "pdf-updated" else None
    if older is not None and prefix.startswith(_without_mark(older)):
        tail = prefix[len(_without_mark(older)) :]
        if b" obj" not in tail:
            return
    findings = inspect_bytes(prefix, Policy(tier=2))[1]
    assert any(POLICY.modes[finding.check] == "enforce" for finding in findings)
