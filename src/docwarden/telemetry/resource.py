"""The identity of the process: OpenTelemetry's resource attributes, for logs and the console.

It comes from `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`, or else from the host's name.
Source: OpenTelemetry specification, "Resource SDK", and its semantic conventions for resources.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import unquote

_MAX_LENGTH: Final = 255
_NAMESPACES: Final = ("k8s.namespace.name", "service.namespace")
_ENVIRONMENTS: Final = ("deployment.environment.name", "deployment.environment")
_INSTANCES: Final = ("service.instance.id", "k8s.pod.name", "host.name")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """The identity of a process; texts are printable, and empty where unknown.

    Attributes:
        service: name of the service.
        instance: the host or pod of this process.
        namespace: where it runs.
        environment: such as staging or production.
    """

    service: str
    instance: str
    namespace: str
    environment: str

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return the resource of the variables, with the host's name if they name no instance."""
        pairs = (
            item.partition("=") for item in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
        )
        given = {name.strip(): _clean(unquote(value.strip())) for name, _, value in pairs}

        def first(names: tuple[str, ...], otherwise: str) -> str:
            return next(filter(None, (given.get(name) for name in names)), otherwise)

        service = _clean(environ.get("OTEL_SERVICE_NAME", "")) or given.get("service.name")
        return cls(
            service=service or "docwarden",
            instance=first(_INSTANCES, _clean(socket.gethostname())),
            namespace=first(_NAMESPACES, ""),
            environment=first(_ENVIRONMENTS, ""),
        )


def _clean(text: str) -> str:
    return "".join(c for c in text[:_MAX_LENGTH] if c.isprintable())
