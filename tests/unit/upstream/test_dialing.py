"""Why no connection was made, by the error's type and code."""

import errno
import socket
import ssl

import pytest

from docwarden.core.errors import Cause, Detail
from docwarden.upstream.dialing import _interleaved, failure_of


def refused_certificate(code):
    error = ssl.SSLCertVerificationError(1, "words that nobody compares")
    error.verify_code = code
    return error


@pytest.mark.parametrize(
    ("error", "cause", "reason", "detail"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, ""), Cause.CONNECT, None, Detail.REFUSED),
        (OSError(errno.EHOSTUNREACH, ""), Cause.CONNECT, None, Detail.UNREACHABLE),
        (OSError(errno.ENETUNREACH, ""), Cause.CONNECT, None, Detail.UNREACHABLE),
        (ConnectionResetError(errno.ECONNRESET, ""), Cause.CONNECT, None, Detail.RESET),
        (ConnectionResetError(), Cause.CONNECT, None, Detail.OTHER),
        (socket.gaierror(socket.EAI_NONAME, ""), Cause.CONNECT, None, Detail.NAME_NOT_FOUND),
        (socket.gaierror(socket.EAI_AGAIN, ""), Cause.CONNECT, None, Detail.NAME_LOOKUP_FAILED),
        (socket.gaierror(socket.EAI_MEMORY, ""), Cause.MEMORY, "out-of-memory", None),
        (refused_certificate(10), Cause.CONNECT, "tls-failed", Detail.CERTIFICATE_EXPIRED),
        (refused_certificate(9), Cause.CONNECT, "tls-failed", Detail.CERTIFICATE_NOT_YET_VALID),
        (refused_certificate(62), Cause.CONNECT, "tls-failed", Detail.CERTIFICATE_OTHER_NAME),
        (refused_certificate(64), Cause.CONNECT, "tls-failed", Detail.CERTIFICATE_OTHER_NAME),
        (refused_certificate(18), Cause.CONNECT, "tls-failed", Detail.CERTIFICATE_UNKNOWN_ISSUER),
        (refused_certificate(20), Cause.CONNECT, "tls-failed", Detail.CERTIFICATE_UNKNOWN_ISSUER),
        (refused_certificate(23), Cause.CONNECT, "tls-failed", Detail.CERTIFICATE_REFUSED),
        (ssl.SSLError(1, "wrong version number"), Cause.CONNECT, "tls-failed", Detail.TLS_REFUSED),
        (OSError(errno.EMFILE, ""), Cause.OVERLOADED, "too-few-descriptors", None),
        (OSError(errno.EADDRNOTAVAIL, ""), Cause.OVERLOADED, "too-few-ports", None),
        (MemoryError(), Cause.MEMORY, "out-of-memory", None),
    ],
)
def test_failure_is_told_by_type_and_code(error, cause, reason, detail):
    failure = failure_of(error)
    assert (failure.cause, failure.reason, failure.detail) == (cause, reason or cause, detail)


def test_families_take_turns_and_no_address_comes_twice():
    six = [(socket.AF_INET6, (f"::{n}", 80)) for n in range(3)]
    four = [(socket.AF_INET, (f"10.0.0.{n}", 80)) for n in range(2)]
    assert _interleaved([*six, *four, *four]) == [six[0], four[0], six[1], four[1], six[2]]
