"""Ids of requests."""

import random
import re

from docwarden.core.request import Request


def test_id_of_the_client_is_kept_and_any_other_request_gets_one_of_its_own():
    draw = random.Random(1)
    given = [{b"x-request-id": b"a.B-1_2"}, {b"x-request-id": b"a b"}, *[{}] * 1000]
    found = [Request("GET", "/7", each, "192.0.2.1", 0.0, 0.0, draw) for each in given]
    ids = [each.request_id for each in found]
    assert ids[0] == "a.B-1_2"
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in ids[1:])
    assert len({*ids}) == len(ids)
    assert [each.id_line for each in found] == [
        b"X-Request-ID: %b\r\n" % each.encode() for each in ids
    ]
