"""Durations, sizes and shares as people write them on a command line."""

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_BYTES = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "B": 1}

LONGEST_SECONDS = 3600.0


def seconds(text: str) -> float:
    """Read `250ms`, `10s`, `5m` or plain seconds.

    Raises:
        ValueError: it is no duration, or not within an hour.
    """
    for unit in ("ms", "s", "m"):
        if text.endswith(unit):
            value = _number(text.removesuffix(unit), "duration") * _SECONDS[unit]
            break
    else:
        value = _number(text, "duration")
    if value > LONGEST_SECONDS:
        raise ValueError(f"{text!r} is longer than an hour")
    return value


def size(text: str) -> int:
    """Read `4096`, `64KiB`, `32MiB` or `1GiB`.

    Raises:
        ValueError: it is no size.
    """
    for unit, factor in _BYTES.items():
        if text.endswith(unit):
            return int(_number(text.removesuffix(unit), "size") * factor)
    return int(_number(text, "size"))


def share(text: str) -> float:
    """Read `0.1` or `10%`.

    Raises:
        ValueError: it is no share from 0 to 1.
    """
    value = (
        _number(text.removesuffix("%"), "share") / 100
        if text.endswith("%")
        else _number(text, "share")
    )
    if value > 1:
        raise ValueError(f"{text!r} is no share: 0 to 1, or 0% to 100%")
    return value


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no {what}") from None
    if not 0 <= value < float("inf"):
        raise ValueError(f"{text!r} is no {what}")
    return value
