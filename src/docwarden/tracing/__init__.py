"""Traces by OpenTelemetry: off unless the standard `OTEL_*` variables ask for them.

Unless they do, nothing of OpenTelemetry is imported, and the parts hold None. `environment`
decides; `tracer` begins the trace of a request, `spans` has its spans, `recorder` and `export` send
them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docwarden.tracing.environment import TracingError, is_asked_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from docwarden.telemetry.logs import Log
    from docwarden.tracing.tracer import Tracing

__all__ = ["TracingError", "open_tracing"]


def open_tracing(
    environ: Mapping[str, str], *, upstream_url: str, log: Log, random: Random
) -> Tracing | None:
    """Return the tracing, or None if it is not configured.

    Args:
        environ: the process's variables; OpenTelemetry's own code reads further ones from it.
        upstream_url: URL of the upstream, which may contain `{id}`.
        log: gets events about ignored variables and failed exports.
        random: draws ids.

    Raises:
        TracingError: tracing is configured, but not possible.
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
