"""Say in a job's summary what it made and where to look: `python3 image/summary.py KIND ...`.

Kinds and their arguments, all printed as Markdown:

* `image REPOSITORY DIGEST COMMIT`: what a merge built, and how to roll it out again;
* `release IMAGE CHART TAG`: what a tag released, and how to check and install it;
* `outputs FILE`: the stack outputs of a deployment, links first;
* `rollout ENVIRONMENT DIGEST COMMIT SERVICE_URL DASHBOARDS_URL`: what runs now, and where it shows.

It needs nothing but Python.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path


def image(repository: str, digest: str, commit: str) -> Iterator[str]:
    """Describe an image, and the command that rolls it out."""
    yield f"Built and signed: `{repository}@{digest}`, of commit `{commit}`."
    yield ""
    yield "To roll this image out again, later too:"
    yield ""
    yield "```console"
    yield "$ gh workflow run deploy.yml --ref main --field environment=staging \\"
    yield f"    --field digest={digest} --field commit={commit}"
    yield "```"


def release(image_: str, chart: str, tag: str) -> Iterator[str]:
    """Describe a release, and the command that installs it."""
    repository, _, _ = chart.partition("@")
    yield f"Released {tag}."
    yield ""
    yield f"* image `{image_}`"
    yield f"* chart `{chart}`"
    yield ""
    yield "```console"
    yield f"$ helm install docwarden oci://{repository} --version {tag.removeprefix('v')} \\"
    yield "    --set upstream.url='http://documents.internal:3000/{id}'"
    yield "```"


def outputs(file: str) -> Iterator[str]:
    """Tabulate stack outputs; what is a link comes first."""
    stacks: dict[str, dict[str, str]] = json.loads(Path(file).read_text(encoding="utf-8"))
    rows = [
        (not value.startswith("https://"), stack, name, value)
        for stack, values in stacks.items()
        for name, value in values.items()
        if not name.startswith("Exports")  # what stacks hand to each other
    ]
    yield "| stack | output | value |"
    yield "| --- | --- | --- |"
    for no_link, stack, name, value in sorted(rows):
        yield f"| {stack} | {name} | {f'`{value}`' if no_link else f'<{value}>'} |"


def rollout(*arguments: str) -> Iterator[str]:
    """Describe what a rollout left behind."""
    environment, digest, commit, service, dashboards = arguments
    yield f"Rolled out to {environment}: `{digest}` of commit `{commit}`."
    yield ""
    yield f"* documents: <{service.rstrip('/')}/1>"
    if dashboards:
        yield f"* dashboards: <{dashboards}>"


KINDS: dict[str, tuple[int, Callable[..., Iterator[str]]]] = {
    "image": (3, image),
    "release": (3, release),
    "outputs": (1, outputs),
    "rollout": (5, rollout),
}


def main(arguments: Sequence[str]) -> int:
    """Print the summary; 2 for arguments that make none."""
    kind, *values = arguments or [""]
    count, lines = KINDS.get(kind, (-1, image))
    if len(values) != count:
        sys.stderr.write(__doc__ or "")
        return 2
    sys.stdout.write("\n".join(lines(*values)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
