"""Which `Host` values the operator's listener answers.

A page that an operator's browser loads from elsewhere can have its own name resolve to this
listener's address, and would then read settings and failures as if they were its own (DNS
rebinding). That takes a public name, so addresses and names that cannot be public pass.
"""

import re
from collections.abc import Iterable
from typing import Final

# Kubernetes' names of Services; neither ending can be registered.
_CLUSTER: Final = (".svc", ".svc.cluster.local", ".localhost")
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:.]+\]")
_PORT: Final = re.compile(r":\d*$")


class AllowedHosts:
    """Decides which Host values a listener answers.

    Args:
        names: public names of the listener; case does not matter.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(name.lower().rstrip(".") for name in names)

    def allow(self, value: bytes | None) -> bool:
        """Whether a Host value is answered: addresses, own names, and those that are not public."""
        if value is None:
            return True  # HTTP/1.0, which browsers do not speak
        host = _PORT.sub("", value.decode("latin-1").lower()).rstrip(".")
        return (
            host in self._names
            or "." not in host
            or host.endswith(_CLUSTER)
            or _ADDRESS.fullmatch(host) is not None
        )
