"""Chooses the answer to each request; pure functions."""

import itertools
from bisect import bisect_right
from dataclasses import dataclass

from docwarden.simulator import chance
from docwarden.simulator.behaviour import Behaviour
from docwarden.simulator.documents import SUFFIXES, Library, SampleDocument
from docwarden.simulator.faults.table import Chosen, named

FAULT_PREFIX = "/fault/"
DOCUMENT_PREFIX = "/document/"


@dataclass(frozen=True, slots=True)
class Choice:
    """The document to serve, the fault to inject, and the latency in seconds."""

    document: SampleDocument
    fault: Chosen | None = None
    latency: float = 0.0


class Chooser:
    """Chooses by seed and number; one for each behaviour."""

    def __init__(self, behaviour: Behaviour, held: Library, seed: int) -> None:
        self._seed = seed
        self._latency = behaviour.latency
        self._faults = behaviour.faults
        self._fault_bounds = list(itertools.accumulate(one.share for one in behaviour.faults))
        kinds = [kind for kind, weight in behaviour.mix.items() if weight > 0]
        total = sum(behaviour.mix.values())
        self._documents = [held.of(kind) for kind in kinds]
        self._bounds = list(
            itertools.accumulate(behaviour.mix[kind] / total for kind in kinds[:-1])
        )

    def by_number(self, number: int) -> Choice:
        """Choose the answer to the request of this number."""
        documents = self._documents[
            bisect_right(self._bounds, chance.draw(self._seed, number, chance.DOCUMENT))
        ]
        document = documents[0]
        if len(documents) > 1:
            place = chance.draw(self._seed, number, chance.MEMBER)
            document = documents[int(place * len(documents))]
        fault = None
        if self._faults:
            place = bisect_right(self._fault_bounds, chance.draw(self._seed, number, chance.FAULT))
            fault = self._faults[place] if place < len(self._faults) else None
        latency = 0.0
        if self._latency:
            latency = self._latency.seconds(chance.draw(self._seed, number, chance.LATENCY))
        return Choice(document, fault, latency)


def is_forced(path: str) -> bool:
    """Whether a path itself determines the answer."""
    return path.startswith((FAULT_PREFIX, DOCUMENT_PREFIX))


def by_path(path: str, held: Library) -> Choice:
    """Choose by the path: it always gets the same answer.

    `/fault/NAME/ANYTHING` and `/fault/NAME/PARAMETER/ANYTHING` inject a fault into a PDF, or the
    type that a suffix names (`7.png`); `/document/KIND/ANYTHING` is a document of that kind.

    Raises:
        OSError: a folder of documents cannot be read.
        ValueError: the path is invalid.
    """
    _, prefix, *rest = path.split("/")
    if not rest or not rest[0]:
        raise ValueError(f"a path here is /{prefix}/NAME/ANYTHING")
    if prefix == "document":
        return Choice(held.of(rest[0])[0])
    fault = named(rest[0], rest[1] if len(rest) > 2 else None)
    name = rest[-1]
    dot = name.rfind(".")
    kind = SUFFIXES.get(name[dot:].lower(), "pdf") if dot >= 0 else "pdf"
    return Choice(held.of(kind)[0], fault)
