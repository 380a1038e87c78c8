"""What clients send comes into the log bounded and escaped."""

import random

import pytest

from docwarden.core.request import Request
from docwarden.gateway.header_fields import MAX_HEADER, MAX_USER_AGENT, HeaderFields
from docwarden.gateway.log_fields import MAX_PATH, shown_path


def told(names=(), **headers):
    given = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    request = Request(
        "GET",
        "/",
        given,
        client="192.0.2.1",
        started=0.0,
        wall=0.0,
        random=random.Random(1),
    )
    picker = HeaderFields(names)
    return picker.fields(request)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/a-b_c~d/%41?", "/a-b_c~d/%41?"),
        ('/"<>\\^`{|} ', "/%22%3C%3E%5C%5E%60%7B%7C%7D%20"),
        ("/\xe9\r\n\x1b[2J\x7f", "/%E9%0D%0A%1B[2J%7F"),
        ("/" + "a" * MAX_PATH, "/" + "a" * (MAX_PATH - 1) + "..."),
        ("*", "*"),
    ],
)
def test_path_is_shown_as_a_url_has_it(path, shown):
    assert shown_path(path) == shown


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"curl/8.5.0", "curl/8.5.0"),
        (b'caf\xe9 "\\', 'caf\\xe9 "\\'),
        (b"x" * (MAX_USER_AGENT + 1), "x" * MAX_USER_AGENT + "..."),
        (b"", ""),
    ],
)
def test_user_agent_is_told(sent, shown):
    assert told(user_agent=sent) == {"user_agent.original": shown}


def test_only_the_fields_of_the_settings_are_told():
    found = told(("x-tenant", "x-none"), x_tenant=b"a" * 2000, x_other=b"b", accept=b"c")
    assert found == {"http.request.header.x-tenant": "a" * MAX_HEADER + "..."}
    assert told() == {}
