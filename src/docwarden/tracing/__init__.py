"""Traces by OpenTelemetry: off unless the standard `OTEL_*` variables ask for them.

Nothing of OpenTelemetry is imported before that, and no part holds more than None. This module
decides; `tracer` begins a request's trace, `spans` says what it holds, `recorder` and `export` how
it leaves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from docwarden.logs import Log
    from docwarden.tracing.tracer import Tracing

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


class TracingError(Exception):
    """Traces are asked for and cannot be made; the message is one line and says what to do."""


def is_asked_for(environ: Mapping[str, str]) -> bool:
    """Whether the variables ask for traces.

    They do when an OTLP endpoint is named, or `otlp` as exporter (to its default endpoint), unless
    `OTEL_SDK_DISABLED` is true or the exporter `none`. An empty variable counts as unset.
    Source: OpenTelemetry specification, "Environment Variable Specification".

    Raises:
        TracingError: they ask for an exporter, a protocol or an endpoint that is not spoken here.
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


def open_tracing(
    environ: Mapping[str, str], *, upstream_url: str, log: Log, random: Random
) -> Tracing | None:
    """Return what makes the traces, or None when none are asked for.

    Args:
        environ: the process's variables; OpenTelemetry's own code reads further ones from it.
        upstream_url: what attempts ask, `{id}` in it once or not at all.
        log: is told of variables that are ignored and of spans that were not taken.
        random: draws ids.

    Raises:
        TracingError: traces are asked for and cannot be made.
    """
    if not is_asked_for(environ):
        return None
    try:
        from docwarden.tracing.export import open_export  # noqa: PLC0415 - an extra, imported if used
        from docwarden.tracing.recorder import Recorder  # noqa: PLC0415 - as above
        from docwarden.tracing.tracer import Tracing  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise TracingError(
            "OTEL_ variables ask for traces, which need OpenTelemetry: "
            "pip install 'docwarden[tracing]' (or set OTEL_SDK_DISABLED=true)"
        ) from error
    sampler, export = open_export(environ, log)
    recorder = Recorder(export=export, upstream_url=upstream_url, random=random)
    return Tracing(sampler=sampler, recorder=recorder)


def _given(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()


def _refusal(name: str, takes: str) -> str:
    # Without the value: an endpoint may hold credentials.
    return f"{name} is not usable: it takes {takes}"
