"""Plots as SVG, written by hand so that the benchmark needs no plotting library.

Logarithmic scales throughout: the costs span two orders of magnitude, and equal ratios look equal.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

_INK, _FAINT, _PAPER = "#1f2328", "#d8dee4", "#ffffff"
_ACCENT, _PLAIN = "#1f5fa8", "#8c959f"
_COLOURS: Final = ("#1f5fa8", "#c4521c", "#3b7d3b", "#7a4fa3", "#8c6d1f")
_STYLE: Final = "role='img' font-family='system-ui, sans-serif' font-size='13'"


def bars(title: str, rows: Sequence[tuple[str, float, bool]]) -> str:
    """Return horizontal bars on a logarithmic scale.

    Args:
        title: above them.
        rows: name, value and whether it is to stand out.
    """
    left, width, step, top = 250, 820, 30, 58
    height = top + step * len(rows) + 20
    low = 10 ** math.floor(math.log10(min(value for _, value, _ in rows)))
    high = max(value for _, value, _ in rows)
    scale = (width - left - 90) / math.log10(high / low)
    parts = [_text(16, 26, title, weight=600)]
    for tick in _decades(low, high):
        x = left + scale * math.log10(tick / low)
        parts += [
            _line(x, top - 10, x, height - 16),
            _text(x, top - 14, f"{tick:g}", anchor="middle"),
        ]
    for row, (name, value, own) in enumerate(rows):
        y = top + row * step
        long = max(1.0, scale * math.log10(value / low))
        colour = _ACCENT if own else _PLAIN
        parts += [
            _text(left - 10, y + 15, name, anchor="end", weight=600 if own else 400),
            f"<rect x='{left}' y='{y}' width='{long:.1f}' height='21' rx='2' fill='{colour}'/>",
            _text(left + long + 7, y + 15, f"{value:,.0f}", weight=600 if own else 400),
        ]
    return _svg(width, height, title, parts)


def curves(title: str, across: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """Return lines on logarithmic scales.

    Args:
        title: above them; says what is upwards.
        across: what the horizontal axis counts.
        lines: points by the line's name.
    """
    left, right, top, bottom, width, height = 70, 260, 58, 50, 820, 400
    points = [point for line in lines.values() for point in line]
    xs, ys = sorted({x for x, _ in points}), [y for _, y in points]
    low = 10 ** math.floor(math.log10(min(ys)))
    high = 10 ** math.ceil(math.log10(max(ys)))
    x_scale = (width - left - right) / math.log10(xs[-1] / xs[0])
    y_scale = (height - top - bottom) / math.log10(high / low)

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            left + x_scale * math.log10(x / xs[0]),
            height - bottom - y_scale * math.log10(y / low),
        )

    parts = [_text(16, 26, title, weight=600)]
    for tick in _decades(low, high):
        _, y = place(xs[0], tick)
        parts += [
            _line(left, y, width - right, y),
            _text(left - 8, y + 4, f"{tick:g}", anchor="end"),
        ]
    for x in xs:
        at, _ = place(x, low)
        parts.append(_text(at, height - bottom + 20, _short(x), anchor="middle"))
    parts.append(_text((left + width - right) / 2, height - 10, across, anchor="middle"))
    ends: list[float] = []
    for (name, line), colour in zip(lines.items(), _COLOURS, strict=False):
        places = [place(x, y) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>")
        parts += [f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{colour}'/>" for x, y in places]
        label = _apart(places[-1][1], ends)
        parts.append(_text(places[-1][0] + 10, label + 4, name, fill=colour, weight=600))
    return _svg(width, height, title, parts)


def _apart(wanted: float, taken: list[float]) -> float:
    """Return a height near `wanted` at which a label covers none of those before it."""
    for away in range(0, 200, 2):
        for y in (wanted - away, wanted + away):
            if all(abs(y - other) >= 16 for other in taken):
                taken.append(y)
                return y
    return wanted


def _short(number: float) -> str:
    for unit, size in (("M", 1 << 20), ("K", 1 << 10)):
        if number >= size and number % size == 0:
            return f"{number / size:g}{unit}"
    return f"{number:g}"


def _decades(low: float, high: float) -> list[float]:
    first, last = round(math.log10(low)), math.floor(math.log10(high) + 1e-9)
    return [10.0**power for power in range(first, last + 1)]


def _text(  # noqa: PLR0913 - the attributes of an SVG text
    x: float, y: float, text: str, *, anchor: str = "start", weight: int = 400, fill: str = _INK
) -> str:
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' font-weight='{weight}'"
        f" fill='{fill}'>{escape(text)}</text>"
    )


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{_FAINT}'/>"


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' {_STYLE}>",
            f"<title>{escape(title)}</title>",
            f"<rect width='{width}' height='{height}' fill='{_PAPER}'/>",
            *parts,
            "</svg>\n",
        ]
    )
