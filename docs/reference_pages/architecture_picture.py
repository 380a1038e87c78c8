"""The picture of the gateway: the way of one request through the folders of the code."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

WIDTH: Final = 1000
HEIGHT: Final = 605
_LINE: Final = 17


@dataclass(frozen=True, slots=True)
class Box:
    """A part: where it lies, which folder of src/docwarden it is, what it does."""

    name: str
    x: int
    y: int
    width: int
    height: int
    title: str
    text: tuple[str, ...] = ()
    folder: str = ""
    kind: str = "ours"

    def point(self, side: str) -> tuple[int, int]:
        """Return the middle of a side, or of a side's half: `right-low`."""
        middle_x, middle_y = self.x + self.width // 2, self.y + self.height // 2
        return {
            "left": (self.x, middle_y),
            "right": (self.x + self.width, middle_y),
            "top": (middle_x, self.y),
            "bottom": (middle_x, self.y + self.height),
            "left-low": (self.x, self.y + self.height * 3 // 4),
            "right-low": (self.x + self.width, self.y + self.height * 3 // 4),
            "left-high": (self.x, self.y + self.height // 4),
            "right-high": (self.x + self.width, self.y + self.height // 4),
        }[side]


@dataclass(frozen=True, slots=True)
class Arrow:
    """What goes from one part to another."""

    source: str
    leaves: str
    target: str
    enters: str
    label: str = ""
    below: bool = False


BOXES: Final = (
    Box("processes", 170, 25, 650, 560, "docwarden: one event loop, and processes for deep checks",
        kind="frame"),
    Box("client", 20, 105, 120, 70, "Client", ("GET /529852",), kind="outside"),
    Box("server", 195, 80, 150, 120, "Server", ("HTTP/1.1, limits,", "timeouts"), "server"),
    Box(
        "gateway", 415, 80, 150, 120, "Gateway",
        ("id or page?", "conditional, range,", "document or error"), "gateway",
    ),
    Box(
        "fetching", 645, 65, 150, 150, "Fetching",
        ("deadline", "last verified copy", "limiter, retries", "circuit breaker", "attempt"),
        "fetching",
    ),
    Box("upstream", 645, 285, 150, 130, "Upstream client", ("connections, limits",), "upstream"),
    Box(
        "integrity", 415, 285, 150, 130, "Integrity",
        ("type by its bytes", "whole? checksums,", "cross-references"), "integrity",
    ),
    Box(
        "telemetry", 195, 285, 150, 130, "Telemetry",
        ("metrics, one log", "line a request,", "health"), "telemetry",
    ),
    Box("service", 860, 315, 120, 70, "Upstream", ("not trusted",), kind="outside"),
    Box("store", 860, 67, 120, 70, "Redis", ("optional",), kind="outside"),
    Box(
        "deep", 415, 475, 150, 90, "Deep checks", ("strict parsers,", "own processes"),
        "integrity/deep", kind="apart",
    ),
    Box(
        "admin", 195, 475, 150, 90, "Operator's port", ("console, /metrics,", "/livez, /readyz"),
        "admin",
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

_OPENING: Final = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
    f' width="{WIDTH}" height="{HEIGHT}" role="img">'
)
_STYLE: Final = """\
<style>
  text { font: 13px system-ui, sans-serif; fill: #1c2733; }
  .title { font-weight: 600; }
  .folder { font: 11px ui-monospace, monospace; fill: #55636f; }
  .label { font-size: 12px; fill: #55636f; }
  rect { stroke-width: 1.5; rx: 6; }
  .ours { fill: #e8f1fb; stroke: #1f5fa8; }
  .outside { fill: #f3f3f1; stroke: #80807a; }
  .frame { fill: #fbfdff; stroke: #1f5fa8; stroke-dasharray: 6 4; }
  .apart { fill: #e8f1fb; stroke: #1f5fa8; stroke-dasharray: 6 4; }
  path { stroke: #3c4a57; stroke-width: 1.5; fill: none; marker-end: url(#tip); }
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" \
orient="auto"><path d="M0 0 L8 4 L0 8 z" style="fill: #3c4a57; stroke: none; marker-end: none"/>\
</marker></defs>"""


def architecture_picture() -> str:
    """Return the picture as SVG."""
    return "\n".join(
        (
            _OPENING,
            "<title>The way of one request through docwarden</title>",
            "<!-- Generated by `make reference` from docs/reference_pages. -->",
            _STYLE,
            f'<rect width="{WIDTH}" height="{HEIGHT}" style="fill: #ffffff; stroke: none"/>',
            *(line for box in BOXES for line in _box(box)),
            *(line for arrow in ARROWS for line in _arrow(arrow)),
            "</svg>\n",
        )
    )


def _box(box: Box) -> Iterator[str]:
    place = f'x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}"'
    yield f'<rect class="{box.kind}" {place}/>'
    lines = [("title", box.title), *(("text", line) for line in box.text)]
    if box.folder:
        lines.append(("folder", f"{box.folder}/"))
    for number, (style, text) in enumerate(lines):
        y = box.y + 22 + number * _LINE
        yield f'<text class="{style}" x="{box.x + 12}" y="{y}">{escape(text)}</text>'


def _arrow(arrow: Arrow) -> Iterator[str]:
    boxes = {box.name: box for box in BOXES}
    (x1, y1), (x2, y2) = (
        boxes[arrow.source].point(arrow.leaves),
        boxes[arrow.target].point(arrow.enters),
    )
    yield f'<path d="M{x1} {y1} L{x2} {y2}"/>'
    if arrow.label:
        x, y = (x1 + x2) // 2, (y1 + y2) // 2
        upright = abs(x2 - x1) < abs(y2 - y1)
        anchor, x, y = ("start", x + 8, y + 4) if upright else ("middle", x, y - 6)
        if arrow.below:
            anchor, x, y = "start", x - 2, y + 16
        place = f'text-anchor="{anchor}" x="{x}" y="{y}"'
        yield f'<text class="label" {place}>{escape(arrow.label)}</text>'
