"""Ids of requests."""

import random
import re
from itertools import islice

from docwarden.core.request import Request, request_ids


def test_ids_are_128_random_bits_and_none_comes_twice():
    ids = [*islice(request_ids(random.Random(1)), 1000)]
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids)
    assert len({*ids}) == 1000


def test_id_of_the_client_is_kept_and_any_other_request_gets_one_of_its_own():
    ids = request_ids(random.Random(1))
    given = [{b"x-request-id": b"a.B-1_2"}, {}, {b"x-request-id": b"a b"}, {}]
    found = [Request("GET", "/7", each, "192.0.2.1", 0.0, 0.0, ids) for each in given]
    assert [each.request_id for each in found] == ["a.B-1_2", *islice(_again(), 3)]
    assert [each.id_line for each in found] == [
        b"X-Request-ID: %b\r\n" % each.request_id.encode() for each in found
    ]


def _again():
    return request_ids(random.Random(1))
