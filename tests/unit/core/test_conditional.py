"""Conditional and range requests as RFC 9110 has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docwarden.core.conditional import (
    Span,
    Unsatisfiable,
    matches,
    parse_range,
    prefers_html,
    range_applies,
    requested_digest,
)

ETAG = b'"abc"'


@pytest.mark.parametrize(
    ("value", "size", "expected"),
    [
        (b"bytes=0-0", 10, Span(0, 0)),
        (b"bytes=0-", 10, Span(0, 9)),
        (b"bytes=5-100", 10, Span(5, 9)),
        (b"bytes=-3", 10, Span(7, 9)),
        (b"bytes=-30", 10, Span(0, 9)),
        (b"bytes=-0", 10, Unsatisfiable(10)),
        (b"bytes=10-", 10, Unsatisfiable(10)),
        (b"bytes=10-11", 10, Unsatisfiable(10)),
        (b"BYTES=1-2", 10, Span(1, 2)),
        (b"bytes= 1-2 ", 10, Span(1, 2)),
        (b"bytes=2-1", 10, None),
        (b"bytes=-", 10, None),
        (b"bytes=0-1,3-4", 10, None),
        (b"items=0-1", 10, None),
        (b"bytes=0x1-2", 10, None),
        (b"bytes=+1-2", 10, None),
        (b"bytes=0-99999999999999999999", 10, None),
        (b"", 10, None),
    ],
)
def test_range(value, size, expected):
    assert parse_range(value, size) == expected


@given(st.binary(max_size=60), st.integers(1, 2**40))
def test_range_never_raises_and_stays_within_the_document(value, size):
    span = parse_range(value, size)
    if isinstance(span, Span):
        assert 0 <= span.first <= span.last < size
        assert span.length == span.last - span.first + 1


@given(st.integers(0, 2**40), st.integers(0, 2**40), st.integers(1, 2**40))
def test_every_valid_range_is_served_or_unsatisfiable(first, last, size):
    span = parse_range(b"bytes=%d-%d" % (first, last), size)
    if last < first:
        assert span is None
    elif first >= size:
        assert span == Unsatisfiable(size)
    else:
        assert span == Span(first, min(last, size - 1))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'"abc"', True),
        (b'W/"abc"', True),
        (b'"x", "abc"', True),
        (b'"x","abc","y"', True),
        (b"*", True),
        (b" * ", True),
        (b'"abcd"', False),
        (b"abc", False),
        (b'"ab", "c"', False),
        (b"", False),
        (b'"a,\\"abc"', False),
    ],
)
def test_if_none_match(value, expected):
    assert matches(value, ETAG) is expected


@given(st.binary(max_size=200))
def test_if_none_match_never_raises(value):
    assert isinstance(matches(value, ETAG), bool)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, True),
        (b'"abc"', True),
        (b'W/"abc"', False),
        (b'"other"', False),
        (b"Tue, 24 Nov 2026 15:00:00 GMT", False),
    ],
)
def test_if_range(value, expected):
    assert range_applies(value, ETAG) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"sha-256=1", "sha-256"),
        (b"sha-256=1, sha-512=2", "sha-512"),
        (b"sha-512=1,sha-256=9", "sha-256"),
        (b"sha-256=0", None),
        (b"sha-256=11", None),
        (b"sha-256=-1", None),
        (b"md5=9", None),
        (b"md5=9, sha-256=1", "sha-256"),
        (b"sha-256", None),
        (b"", None),
    ],
)
def test_requested_digest(value, expected):
    assert requested_digest(value) == expected


@given(st.binary(max_size=300))
def test_requested_digest_never_raises(value):
    assert requested_digest(value) in (None, "sha-256", "sha-512")


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (b"", False),
        (b"*/*", False),
        (b"application/json", False),
        (b"text/html", True),
        (b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", True),
        (b"TEXT/HTML;q=0.9", True),
        (b"text/html, application/problem+json", False),
        (b"text/html;q=0", False),
        (b"text/html;q=0.000, */*", False),
        (b"text/html;q=0.001", True),
        (b"image/png," * 40 + b"text/html", False),
    ],
)
def test_page_for_people_is_for_who_names_html_and_no_json(accept, html):
    assert prefers_html(accept) is html
