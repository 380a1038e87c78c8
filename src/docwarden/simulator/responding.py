"""Turns requests into the steps of their answers, and counts both."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from docwarden.simulator.behaviour import Behaviour
from docwarden.simulator.choosing import Choice, Chooser, by_path, is_forced
from docwarden.simulator.documents import Library, SampleDocument
from docwarden.simulator.steps import Exchange, Pause, Steps

_LONGEST_LOGGED = 200  # characters of a request's target


@dataclass(frozen=True, slots=True)
class SimulatorRequest:
    """The parts of a request that matter here."""

    method: str
    target: str
    keep_alive: bool


@dataclass(slots=True)
class Counters:
    """What happened since the start; `answers` by kind of document, `faults` by name."""

    requests: int = 0
    connections: int = 0
    open_connections: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """Return the numbers for the control endpoint."""
        return {
            "requests": self.requests,
            "connections": self.connections,
            "open_connections": self.open_connections,
            "answers": dict(self.answers),
            "faults": dict(self.faults),
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """Either `prompt` bytes to send at once, or `steps` to perform in a task."""

    prompt: tuple[bytes, ...] = ()
    steps: Steps | None = None


class Responder:
    """Answers requests by the current behaviour.

    `number` counts the requests answered at random: the n-th of them gets the n-th answer.
    Requests whose path determines the answer are not counted.
    """

    def __init__(
        self,
        behaviour: Behaviour,
        held: Library,
        *,
        seed: int,
        distinct: bool,
        log: Callable[[str], None] | None,
    ) -> None:
        self.behaviour = behaviour
        self.counters = Counters()
        self.number = 0
        self._held = held
        self._seed = seed
        self._distinct = distinct
        self._log = log
        self._chooser = Chooser(behaviour, held, seed)
        self._heads: dict[str, bytes] = {}
        self._date = b""
        self._date_second = 0

    def behave(self, behaviour: Behaviour) -> None:
        """Use this behaviour from now on.

        Raises:
            ValueError: its documents are not available.
            OSError: its documents cannot be read.
        """
        self._chooser = Chooser(behaviour, self._held, self._seed)
        self.behaviour = behaviour

    def respond(self, request: SimulatorRequest, earlier: int) -> Answer:
        """Choose and prepare the answer; `earlier` counts those on its connection before."""
        self.counters.requests += 1
        if request.method not in ("GET", "HEAD"):
            return self._refusal(request, 405, "only GET and HEAD\n", "Allow: GET, HEAD")
        number = self.number
        if is_forced(request.target):
            try:
                choice = by_path(request.target, self._held)
            except (ValueError, OSError) as problem:
                return self._refusal(request, 400, f"{problem}\n")
            body = choice.document.body
            number = 0
        else:
            self.number += 1
            choice = self._chooser.by_number(number)
            body = self._body(choice.document, number)
        self._count(request, choice)
        if choice.fault is None:
            prompt = self._whole(request, choice.document, body)
            if not choice.latency:
                return Answer(prompt)
            return Answer(steps=chain((Pause(choice.latency),), prompt))
        exchange = Exchange(
            choice.document,
            body,
            self._now(),
            head_only=request.method == "HEAD",
            earlier=earlier,
            seed=self._seed + number,
        )
        steps = choice.fault.fault.steps(exchange, choice.fault.parameter)
        return Answer(steps=chain((Pause(choice.latency),), steps) if choice.latency else steps)

    def _body(self, document: SampleDocument, number: int) -> bytes:
        return document.numbered(number) if self._distinct else document.body

    def _count(self, request: SimulatorRequest, choice: Choice) -> None:
        self.counters.answers[choice.document.kind] += 1
        if choice.fault:
            self.counters.faults[choice.fault.fault.name] += 1
        if self._log:
            fault = f", fault {choice.fault.fault.name}" if choice.fault else ""
            target = request.target[:_LONGEST_LOGGED]
            self._log(f"{request.method} {target!a}: {choice.document.kind}{fault}")

    def _whole(
        self, request: SimulatorRequest, document: SampleDocument, body: bytes
    ) -> tuple[bytes, ...]:
        """Return a good answer in pieces, mostly cached: this is the fast path."""
        head = self._heads.get(document.kind + document.sha256)
        if head is None:
            head = (
                "HTTP/1.1 200 OK\r\nServer: docwarden-simulator\r\n"
                f"Content-Type: {document.media_type}\r\nContent-Length: {len(body)}\r\nDate: "
            ).encode("ascii")
            self._heads[document.kind + document.sha256] = head
        if request.method == "HEAD":
            return (head, self._now(), b"\r\n\r\n")
        return (head, self._now(), b"\r\n\r\n", body)

    def _refusal(self, request: SimulatorRequest, status: int, text: str, *fields: str) -> Answer:
        nothing = SampleDocument("none", "text/plain; charset=utf-8", b"")
        exchange = Exchange(nothing, b"", self._now(), head_only=request.method == "HEAD")
        body = text.encode("utf-8", errors="backslashreplace")
        return Answer((exchange.answer(body, *fields, status=status),))

    def _now(self) -> bytes:
        second = int(time.time())
        if second != self._date_second:
            self._date_second = second
            # Names of days and months are those of the C locale, as nothing sets another.
            text = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second))
            self._date = text.encode("ascii")
        return self._date
