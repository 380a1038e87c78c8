"""The picture of the gateway: the way of one request through the folders of the code."""

from typing import Final

from reference_pages.drawing import Arrow, Box, picture

SIZE: Final = (1000, 605)

BOXES: Final = (
    Box("processes", 170, 25, 650, 560, "docwarden: one event loop, and processes for deep checks",
        kind="frame"),
    Box("client", 20, 105, 120, 70, "Client", ("GET /529852",), kind="outside"),
    Box("server", 195, 80, 150, 120, "Server", ("HTTP/1.1, limits,", "timeouts"), "server/"),
    Box(
        "gateway", 415, 80, 150, 120, "Gateway",
        ("id or page?", "conditional, range,", "document or error"), "gateway/",
    ),
    Box(
        "fetching", 645, 65, 150, 150, "Fetching",
        ("deadline", "last verified copy", "limiter, retries", "circuit breaker", "attempt"),
        "fetching/",
    ),
    Box("upstream", 645, 285, 150, 130, "Upstream client", ("connections, limits",), "upstream/"),
    Box(
        "integrity", 415, 285, 150, 130, "Integrity",
        ("type by its bytes", "intact? checksums,", "cross-references"), "integrity/",
    ),
    Box(
        "telemetry", 195, 285, 150, 130, "Telemetry",
        ("metrics, one log", "line per request,", "health"), "telemetry/",
    ),
    Box("service", 860, 315, 120, 70, "Upstream", ("not trusted",), kind="outside"),
    Box("store", 860, 67, 120, 70, "Redis", ("optional",), kind="outside"),
    Box(
        "deep", 415, 475, 150, 90, "Deep checks", ("strict parsers,", "own processes"),
        "integrity/deep/", kind="apart",
    ),
    Box(
        "admin", 195, 475, 150, 90, "Operator listener", ("console, /metrics,", "/livez, /readyz"),
        "admin/",
    ),
    Box("operators", 20, 475, 120, 90, "Operators", ("Prometheus,", "Kubernetes,", "people"),
        kind="outside"),
    Box("logs", 20, 315, 120, 70, "Log collector", kind="outside"),
)  # fmt: skip

ARROWS: Final = (
    Arrow("client", "right", "server", "left"),
    Arrow("server", "right", "gateway", "left", "request"),
    Arrow("gateway", "right", "fetching", "left", "id, deadline"),
    Arrow("fetching", "right-high", "store", "left", "copies"),
    Arrow("fetching", "bottom", "upstream", "top", "attempt"),
    Arrow("upstream", "right", "service", "left", "GET"),
    Arrow("upstream", "left", "integrity", "right", "bytes"),
    Arrow("integrity", "top", "gateway", "bottom", "document or failure"),
    Arrow("integrity", "bottom", "deep", "top", "bytes, verdict"),
    Arrow("telemetry", "bottom", "admin", "top"),
    Arrow("telemetry", "left", "logs", "right"),
    Arrow("operators", "right", "admin", "left"),
    Arrow("gateway", "left-low", "telemetry", "right-high", "how it ended", below=True),
)


def architecture_picture() -> str:
    """Return the picture as SVG."""
    return picture("How one request passes through docwarden", SIZE, BOXES, ARROWS)
