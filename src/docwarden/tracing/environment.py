"""Whether the standard `OTEL_*` variables ask for traces."""

from collections.abc import Mapping
from typing import Final

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class TracingError(Exception):
    """Tracing is configured, but not possible; the message is one line and says what to do."""


def is_asked_for(environ: Mapping[str, str]) -> bool:
    """Whether the variables ask for traces.

    They do when an OTLP endpoint is named, or `otlp` as exporter (to its default endpoint), unless
    `OTEL_SDK_DISABLED` is true or the exporter `none`. An empty variable counts as unset.
    Source: OpenTelemetry specification, "Environment Variable Specification".

    Raises:
        TracingError: they ask for an exporter, a protocol or an endpoint that is not supported.
    """
    if _given(environ, "OTEL_SDK_DISABLED").lower() == "true":
        return False
    exporter = _given(environ, "OTEL_TRACES_EXPORTER").lower()
    if exporter == "none":
        return False
    if exporter not in ("", "otlp"):
        raise TracingError(_refusal("OTEL_TRACES_EXPORTER", "otlp or none"))
    endpoint = next((name for name in _ENDPOINTS if _given(environ, name)), None)
    if endpoint is None:
        return exporter == "otlp"
    if not _given(environ, endpoint).lower().startswith(("http://", "https://")):
        raise TracingError(_refusal(endpoint, "an http or https URL"))
    protocol = next((name for name in _PROTOCOLS if _given(environ, name)), None)
    if protocol is not None and _given(environ, protocol).lower() != "http/protobuf":
        raise TracingError(_refusal(protocol, "http/protobuf"))
    return True


def _given(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()


def _refusal(name: str, takes: str) -> str:
    # Without the value: an endpoint may hold credentials.
    return f"{name} is invalid: expected {takes}"
