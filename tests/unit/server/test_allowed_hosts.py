"""Names under which the operator's listener answers."""

import pytest

from docwarden.server.allowed_hosts import AllowedHosts

HOSTS = AllowedHosts(["docwarden.example.", "Node-7.internal"])


@pytest.mark.parametrize(
    "host",
    [
        None, b"docwarden.example", b"DOCWARDEN.EXAMPLE:8081", b"docwarden.example.:8081",
        b"node-7.internal", b"localhost", b"LOCALHOST:8081", b"gateway", b"127.0.0.1:8081",
        b"10.244.0.9", b"[::1]", b"[fd00::9]:8081", b"docwarden.ns.svc", b"a.ns.svc.cluster.local",
        b"x.localhost",
    ],
)  # fmt: skip
def test_own_names_and_those_that_are_not_public_pass(host):
    assert HOSTS.allow(host)


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example", b"evil.example:8081", b"docwarden.example.evil.example",
        b"1.2.3.4.evil.com",
        b"localhost.evil.com", b"svc.evil.com", b"evil.com.", b"x.svc.example", b"1.2.3.4.5",
        b"evil.com:127.0.0.1", b"\xff.evil",
    ],
)  # fmt: skip
def test_other_names_do_not(host):
    assert not HOSTS.allow(host)
