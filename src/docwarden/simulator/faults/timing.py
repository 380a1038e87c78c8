"""Answers that come late, slowly, in part or not at all."""

from docwarden.simulator.faults.fault import Fault
from docwarden.simulator.steps import End, Exchange, Pause, Refuse, Steps

_DRIPS_PER_SECOND = 10
_FAST_DRIP = 1  # bytes; a rate below ten bytes a second is one byte at a time


def _delay(exchange: Exchange, seconds: float) -> Steps:
    yield Pause(seconds)
    yield exchange.normal()


def _hang(_exchange: Exchange, _: float) -> Steps:
    yield End.HANG


def _hang_body(exchange: Exchange, share: float) -> Steps:
    yield _part(exchange, share)
    yield End.HANG


def _drip(exchange: Exchange, rate: float) -> Steps:
    yield exchange.sized_head(len(exchange.body))
    yield from _dripped(exchange.content(exchange.body), rate)


def _drip_headers(exchange: Exchange, rate: float) -> Steps:
    yield from _dripped(exchange.sized_head(len(exchange.body)), rate)
    yield exchange.content(exchange.body)


def _truncate(exchange: Exchange, share: float) -> Steps:
    yield _part(exchange, share)
    yield End.CLOSE


def _disconnect(_exchange: Exchange, _: float) -> Steps:
    yield End.CLOSE


def _reset(_exchange: Exchange, _: float) -> Steps:
    yield End.RESET


def _reset_body(exchange: Exchange, share: float) -> Steps:
    yield _part(exchange, share)
    yield End.RESET


def _refuse(_exchange: Exchange, seconds: float) -> Steps:
    yield Refuse(seconds)
    yield End.RESET


def _early_close(exchange: Exchange, count: float) -> Steps:
    yield exchange.normal()
    if exchange.earlier + 1 >= int(count):
        yield End.CLOSE


def _stale(exchange: Exchange, _: float) -> Steps:
    if exchange.earlier:
        yield End.CLOSE
    yield exchange.normal()


def _part(exchange: Exchange, share: float) -> bytes:
    sent = exchange.body[: int(len(exchange.body) * share)]
    return exchange.sized_head(len(exchange.body)) + exchange.content(sent)


def _dripped(data: bytes, rate: float) -> Steps:
    size = max(_FAST_DRIP, int(rate / _DRIPS_PER_SECOND))
    for start in range(0, len(data), size):
        piece = data[start : start + size]
        yield piece
        yield Pause(len(piece) / max(rate, 1))


FAULTS = (
    Fault("delay", "the normal response, after this delay", _delay, "seconds", "1s"),
    Fault("hang", "never answers", _hang),
    Fault("hang-body", "stops after this share of the body", _hang_body, "share", "0.5"),
    Fault("drip", "sends the body at this many bytes per second", _drip, "bytes", "1024"),
    Fault(
        "drip-headers",
        "sends the head at this many bytes per second",
        _drip_headers,
        "bytes",
        "20",
    ),
    Fault("truncate", "closes after this share of the body", _truncate, "share", "0.5"),
    Fault("disconnect", "closes without answering", _disconnect),
    Fault("reset", "resets the connection (RST) without answering", _reset),
    Fault("reset-body", "resets it after this share of the body", _reset_body, "share", "0.5"),
    Fault(
        "refuse",
        "resets every connection and refuses new ones for this long",
        _refuse,
        "seconds",
        "1s",
    ),
    Fault(
        "early-close",
        "closes right after the response, from this response on a connection onwards",
        _early_close,
        "count",
        "1",
    ),
    Fault("stale", "closes a keep-alive connection when its second request arrives", _stale),
)
