"""Finds the client of a request that came through proxies.

Every proxy appends the address of its own peer. So the list is read from its right end, and trusted
as far as trusted proxies have written it: anything further left may come from the client.

Sources: RFC 7239 (Forwarded), and for X-Forwarded-For, which has no standard, the field's page on
MDN ("Selecting an IP address").
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from docwarden.core.request import Request

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
X_FORWARDED_FOR: Final = "x-forwarded-for"
FORWARDED: Final = "forwarded"
MAX_HOPS: Final = 32
"""How many proxies in a row are followed."""
_REMEMBERED: Final = 512
_REMEMBERED_BYTES: Final = 256
# Pairs of an element (RFC 7239 section 4) without commas and escapes, which no node has: a quoted
# string that a client leaves open must not extend into what a proxy appends.
_PAIR: Final = re.compile(r'\s*([\w.-]+)=("[^"\\]*"|[^\s",;]*)\s*(?:;|$)', re.ASCII)
_ELEMENT: Final = re.compile(f"(?:{_PAIR.pattern})+", re.ASCII)
_NODE: Final = re.compile(
    r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+)(?::[0-9]{1,5})?|([0-9A-Fa-f:.]+)"
)


class TrustedProxies:
    """The proxies that are trusted to name their client, and the header field they use.

    Only one field is read, as the other would be the client's own: a proxy that writes
    X-Forwarded-For passes on whatever Forwarded it was sent.

    Args:
        networks: addresses of the proxies.
        field: lower-case name of the field, `forwarded` or `x-forwarded-for`.
    """

    def __init__(self, networks: Sequence[Network], *, field: str = X_FORWARDED_FOR) -> None:
        self._networks = tuple(networks)
        self._field = field.encode("ascii")
        self._nodes = _nodes_of_forwarded if field == FORWARDED else _nodes_of_list
        self._known: dict[tuple[str, bytes], str] = {}

    def client_of(self, request: Request) -> str:
        """Return the address of the request's client, as far as trusted proxies name it."""
        forwarded = request.headers.get(self._field)
        if forwarded is None:
            return request.peer
        key = (request.peer, forwarded)
        known = self._known.get(key)
        if known is None:
            known = self._find(request.peer, forwarded.decode("latin-1"))
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            if len(forwarded) <= _REMEMBERED_BYTES:
                self._known[key] = known
        return known

    def _find(self, peer: str, forwarded: str) -> str:
        client = _address(peer)
        if client is None:
            return peer  # not an IP address
        for hop, node in enumerate(self._nodes(forwarded)):
            if hop == MAX_HOPS or not self._trusts(client):
                break
            found = _address(node)
            if found is None:
                break  # `unknown`, or an obfuscated name: the chain ends here
            client = found
        return str(client)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _nodes_of_list(forwarded: str) -> Iterator[str]:
    """Return the nodes of X-Forwarded-For, last one first."""
    return (each.strip() for each in reversed(forwarded.split(",")))


def _nodes_of_forwarded(forwarded: str) -> Iterator[str]:
    """Return the nodes that `for` names, last one first; empty for an element without."""
    for element in _nodes_of_list(forwarded):
        pairs = _PAIR.findall(element) if _ELEMENT.fullmatch(element) else ()
        yield next((value.strip('"') for name, value in pairs if name.lower() == "for"), "")


def _address(node: str) -> Address | None:
    """Return the address of a node, without its port; None for anything else."""
    match = _NODE.fullmatch(node)
    if match is None:
        return None
    try:
        address = ip_address(match[1] or match[2] or match[3])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
