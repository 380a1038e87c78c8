"""The picture of the AWS environment. A test of infra/ compares the labels with the stacks."""

from typing import Final

from reference_pages.drawing import Arrow, Box, picture

SIZE: Final = (990, 600)

BOXES: Final = (
    Box("vpc", 200, 8, 560, 442, "VPC, two or three zones", label="network", kind="frame"),
    Box("clients", 20, 70, 130, 60, "Clients", kind="outside"),
    Box("github", 20, 500, 130, 70, "GitHub Actions", ("OIDC tokens",), kind="outside"),
    Box("upstream", 820, 70, 150, 70, "Document service", ("not trusted",), kind="outside"),
    Box("people", 820, 500, 140, 70, "On-call engineers", kind="outside"),
    Box("dns", 20, 180, 130, 60, "Hosted zone", label="dns"),
    Box(
        "edge",
        220,
        55,
        220,
        90,
        "Load balancer",
        ("WAF, rate limit", "TLS, one host name"),
        label="edge",
    ),
    Box(
        "pods",
        480,
        55,
        260,
        150,
        "EKS",
        (
            "docwarden pods 8080, 8081",
            "managed base nodes",
            "Auto Mode adds nodes",
            "network policies enforced",
            "secrets encrypted",
        ),
        label="cluster",
    ),
    Box("nat", 220, 185, 220, 60, "NAT gateways", ("none in demo, else 1 or 3",), label="network"),
    Box("endpoints", 220, 285, 220, 70, "Endpoints", ("S3, ECR, STS, logs",), label="network"),
    Box("runner", 220, 385, 220, 50, "Deployment runner", label="delivery"),
    Box(
        "store",
        480,
        355,
        260,
        80,
        "Valkey (production)",
        ("TLS, password", "no egress"),
        label="store",
    ),
    Box(
        "registry",
        220,
        490,
        220,
        80,
        "ECR",
        ("immutable tags", "scanned on push"),
        label="registry",
    ),
    Box(
        "observability",
        480,
        490,
        260,
        80,
        "Metrics, logs, alerts",
        ("CloudWatch, Prometheus, Grafana", "SNS topics, budget"),
        label="observability",
    ),
)

ARROWS: Final = (
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


def cloud_picture() -> str:
    """Return the picture as SVG."""
    return picture("The AWS environment of docwarden", SIZE, BOXES, ARROWS)
