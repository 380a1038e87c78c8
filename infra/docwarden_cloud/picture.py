"""The picture of the AWS environment, as code.

``python -m docwarden_cloud.picture`` writes ``docs/explanation/cloud.svg``. A test compares the
stacks that boxes belong to with the stacks that there are.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 990, 640
_LINE = 17


@dataclass(frozen=True)
class Box:
    """Something that is there, and the stack that makes it; none for what is not ours."""

    key: str
    stack: str | None
    x: int
    y: int
    width: int
    height: int
    title: str
    text: tuple[str, ...] = ()

    def side(self, name: str) -> tuple[int, int]:
        """Middle of a side: left, right, top or bottom."""
        middle_x, middle_y = self.x + self.width // 2, self.y + self.height // 2
        return {
            "left": (self.x, middle_y),
            "right": (self.x + self.width, middle_y),
            "top": (middle_x, self.y),
            "bottom": (middle_x, self.y + self.height),
        }[name]


@dataclass(frozen=True)
class Arrow:
    """Who calls whom."""

    source: str
    leaves: str
    target: str
    enters: str
    label: str = ""


FRAME = Box("vpc", "network", 200, 60, 560, 430, "VPC, two or three zones")

BOXES = (
    Box("clients", None, 20, 110, 130, 60, "Clients"),
    Box("github", None, 20, 540, 130, 70, "GitHub Actions", ("OIDC tokens",)),
    Box("upstream", None, 820, 110, 150, 70, "Document service", ("not trusted",)),
    Box("people", None, 820, 540, 140, 70, "People on call"),
    Box("dns", "dns", 20, 220, 130, 60, "Hosted zone"),
    Box(
        "edge", "edge", 220, 95, 220, 90, "Load balancer", ("WAF, rate limit", "TLS, one host name")
    ),
    Box(
        "pods",
        "cluster",
        480,
        95,
        260,
        150,
        "EKS",
        (
            "docwarden pods 8080, 8081",
            "managed nodes below",
            "Auto Mode adds nodes",
            "network policies enforced",
            "secrets encrypted",
        ),
    ),
    Box("nat", "network", 220, 225, 220, 60, "NAT gateways", ("none in demo, 1 or 3 else",)),
    Box("endpoints", "network", 220, 325, 220, 70, "Endpoints", ("S3, ECR, STS, logs",)),
    Box("runner", "delivery", 220, 425, 220, 50, "Deployment runner"),
    Box(
        "store", "store", 480, 395, 260, 80, "Valkey (production)", ("TLS, password", "no way out")
    ),
    Box("registry", "registry", 220, 530, 220, 80, "ECR", ("immutable tags", "scanned on push")),
    Box(
        "observability",
        "observability",
        480,
        530,
        260,
        80,
        "Metrics, logs, alerts",
        ("CloudWatch, Prometheus, Grafana", "SNS topics, budget"),
    ),
)

ARROWS = (
    Arrow("clients", "right", "edge", "left", "HTTPS"),
    Arrow("clients", "bottom", "dns", "top"),
    Arrow("edge", "right", "pods", "left", "8080"),
    Arrow("pods", "right", "upstream", "left", "by NAT"),
    Arrow("pods", "bottom", "store", "top", "6379"),
    Arrow("pods", "left", "endpoints", "right"),
    Arrow("github", "right", "registry", "left", "push"),
    Arrow("observability", "right", "people", "left", "alerts"),
    Arrow("github", "right", "runner", "left", "deploy"),
)


def svg() -> str:
    """Draw it."""
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 40 {_WIDTH} {_HEIGHT - 40}" '
                'role="img" aria-label="The AWS environment of docwarden" '
                'font-family="sans-serif" font-size="13">'
            ),
            (
                '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
                'markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#445"/></marker>'
                "</defs>"
            ),
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
            *_draw_box(FRAME, fill="#f6f8fa"),
            *(line for arrow in ARROWS for line in _draw_arrow(arrow)),
            *(line for box in BOXES for line in _draw_box(box, fill=_fill(box))),
            "</svg>\n",
        ]
    )


def _fill(box: Box) -> str:
    return "#e4eefc" if box.stack else "#eeeeee"


def _draw_box(box: Box, *, fill: str) -> Iterator[str]:
    yield (
        f'<rect x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}" rx="6" '
        f'fill="{fill}" stroke="#445"/>'
    )
    left, top = box.x + 10, box.y + 20
    yield f'<text x="{left}" y="{top}" font-weight="bold" fill="#112">{escape(box.title)}</text>'
    for number, line in enumerate(box.text, 1):
        yield f'<text x="{left}" y="{top + number * _LINE}" fill="#334">{escape(line)}</text>'
    if box.stack:
        right, bottom = box.x + box.width - 8, box.y + box.height - 7
        yield (
            f'<text x="{right}" y="{bottom}" text-anchor="end" font-size="11" '
            f'fill="#667">{escape(box.stack)}</text>'
        )


def _draw_arrow(arrow: Arrow) -> Iterator[str]:
    by_key = {box.key: box for box in BOXES}
    x1, y1 = by_key[arrow.source].side(arrow.leaves)
    x2, y2 = by_key[arrow.target].side(arrow.enters)
    yield (f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#445" marker-end="url(#tip)"/>')
    if arrow.label:
        yield (
            f'<text x="{(x1 + x2) // 2}" y="{(y1 + y2) // 2 - 6}" text-anchor="middle" '
            f'font-size="11" fill="#445">{escape(arrow.label)}</text>'
        )


if __name__ == "__main__":
    sys.stdout.write(svg())
