"""Traces by OpenTelemetry: off unless the standard `OTEL_*` variables ask for them.

Nothing of OpenTelemetry is imported before that, and no part holds more than None. `environment`
decides; `tracer` begins a request's trace, `spans` says what it holds, `recorder` and `export` how
it leaves.
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
