"""Whether the world asks a zone's own name servers."""

from collections.abc import Sequence

from docwarden_cloud.commands import answer


def delegated(domain: str, servers: Sequence[str]) -> bool:
    """Whether the parent zone names just these servers.

    Raises:
        FileNotFoundError: dig is not installed.
    """
    told = answer(["dig", "+short", "NS", domain]) or ""
    return {line.rstrip(".").lower() for line in told.split()} == {
        server.rstrip(".").lower() for server in servers
    }
