"""Whose word about the client's address is taken, and whose is not."""

import random
from ipaddress import ip_network

import pytest

from docwarden.core.client_address import FORWARDED, MAX_HOPS, X_FORWARDED_FOR, TrustedProxies
from docwarden.core.request import Request

PROXIES = [ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/48")]
PEER = "10.0.0.1"


def client(field, told, peer=PEER, **others):
    headers = {name.replace("_", "-").encode(): value.encode() for name, value in others.items()}
    headers |= {field.encode(): told.encode("latin-1")}
    request = Request(
        "GET", "/7", headers, client=peer, started=0.0, wall=0.0, random=random.Random(1)
    )
    return TrustedProxies(PROXIES, field=field).client_of(request)


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:DB8::7]:4711", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, 10.9.9.9", "192.0.2.7"),
        ("192.0.2.7, 2001:db8:1::9, 10.9.9.9", "192.0.2.7"),
        # The leftmost is what a client wrote to look like another.
        ("198.51.100.66, 192.0.2.7", "192.0.2.7"),
        ("198.51.100.66, 192.0.2.7, 10.9.9.9", "192.0.2.7"),
        # Nobody but proxies of ours: the one furthest away.
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),
        # What is no address says that nobody knows more.
        ("192.0.2.7, unknown, 10.9.9.9", "10.9.9.9"),
        ("unknown", PEER),
        ("", PEER),
        ("192.0.2.7,", PEER),
        ("192.0.2.999", PEER),
        ("192.0.2.7\x00", PEER),
        ("fe80::1%eth0", PEER),
    ],
)
def test_x_forwarded_for_is_read_from_its_end(told, found):
    assert client(X_FORWARDED_FOR, told) == found


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ("for=192.0.2.7", "192.0.2.7"),
        ("For=192.0.2.7", "192.0.2.7"),
        ('for="192.0.2.7:4711";proto=https;by=203.0.113.43', "192.0.2.7"),
        ('proto=https; for="[2001:db8::7]:4711"', "2001:db8::7"),
        ("for=192.0.2.7, for=10.9.9.9", "192.0.2.7"),
        ("for=198.51.100.66, for=192.0.2.7;by=10.9.9.9, for=10.9.9.9", "192.0.2.7"),
        ("for=192.0.2.7, for=_hidden", PEER),
        ("for=unknown", PEER),
        ("proto=https", PEER),
        ("192.0.2.7", PEER),
        # A client leaves a quoted string open, so that what the proxy appends would end it.
        ('for=198.51.100.66;x=", for="[2001:db8::7]"', "2001:db8::7"),
        ('for=198.51.100.66;x=", for=192.0.2.7', "192.0.2.7"),
        ('for=198.51.100.66, x=";for=192.0.2.7', PEER),
        ('x="a;for=198.51.100.66"', PEER),
    ],
)
def test_forwarded_is_read_from_its_end(told, found):
    assert client(FORWARDED, told) == found


@pytest.mark.parametrize("peer", ["192.0.2.1", "2001:db8:2::1", "unix"])
def test_client_that_is_no_trusted_proxy_is_not_believed(peer):
    assert client(X_FORWARDED_FOR, "198.51.100.66", peer=peer) == peer
    assert client(FORWARDED, "for=198.51.100.66", peer=peer) == peer


def test_field_that_the_proxies_do_not_write_is_not_believed():
    assert client(X_FORWARDED_FOR, "192.0.2.7", forwarded="for=198.51.100.66") == "192.0.2.7"
    assert client(FORWARDED, "for=192.0.2.7", x_forwarded_for="198.51.100.66") == "192.0.2.7"


def test_proxies_are_followed_so_far_and_no_further():
    hops = ", ".join(["192.0.2.7", *(f"10.0.1.{number}" for number in range(MAX_HOPS - 1))])
    assert client(X_FORWARDED_FOR, hops) == "192.0.2.7"
    assert client(X_FORWARDED_FOR, f"{hops}, 10.9.9.9") == "10.0.1.0"


def test_what_was_found_is_remembered_for_that_peer_only():
    proxies = TrustedProxies(PROXIES)

    def asked(peer):
        headers = {b"x-forwarded-for": b"192.0.2.7"}
        draw = random.Random(1)
        request = Request("GET", "/", headers, client=peer, started=0.0, wall=0.0, random=draw)
        return proxies.client_of(request)

    assert [asked(PEER), asked("192.0.2.1"), asked(PEER)] == ["192.0.2.7", "192.0.2.1", "192.0.2.7"]
