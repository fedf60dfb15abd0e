"""
Walks through the package, one an exchange: C{python -m tests.benchmarks.walks}.

A walk is the sequence of our functions that an exchange calls over connections that stand, in memory
(L{tests.harness}): what somebody reads who follows it. Counted are the files, the calls whose file is another than
that of the call before, and the calls. Comprehensions are part of the function that they stand in, as they are for
Python 3.12. The name of a walk as an argument lists its steps.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from attrs import frozen

import llmproxy
from tests.harness import Exchange, a_request
from tests.test_cost import ANSWER, EVENT, GET, REQUEST, STORED

PACKAGE = str(Path(llmproxy.__file__).parent)
COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@frozen
class Walk:
    """
    @ivar steps: the file, below the package, and the name of each of our functions, in the order of their calls.
    """

    steps: tuple[tuple[str, str], ...]

    @property
    def files(self) -> int:
        return len({file for file, _ in self.steps})

    @property
    def changes(self) -> int:
        """Calls whose file is another than that of the call before."""
        return sum(one[0] != other[0] for one, other in zip(self.steps, self.steps[1:], strict=False))

    @property
    def calls(self) -> int:
        return len(self.steps)


def walked(work: Callable[[], object]) -> Walk:
    """The walk of C{work}."""
    steps: list[tuple[str, str]] = []

    def see(frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE) and code.co_name not in COMPREHENSIONS:
            steps.append((code.co_filename[len(PACKAGE) + 1 :], code.co_name))

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(None)
    return Walk(tuple(steps))


def small_post() -> Walk:
    """A small POST with a small answer."""
    exchange = Exchange()
    client = exchange.client()

    def once() -> None:
        client.receive(REQUEST)
        exchange.upstream[0].receive(ANSWER)

    return _last_of(once)


def hit() -> Walk:
    """A small GET that is answered from memory."""
    exchange = Exchange(cached=True)
    client = exchange.client()
    client.receive(GET)
    exchange.upstream[0].receive(STORED)
    return _last_of(lambda: client.receive(GET))


def stored_miss() -> Walk:
    """A small GET whose answer is stored."""
    exchange = Exchange(cached=True)
    client = exchange.client()
    targets = iter(range(10))

    def once() -> None:
        client.receive(a_request(b"/v1/models/%d" % next(targets)))
        exchange.upstream[0].receive(STORED)

    return _last_of(once)


def event() -> Walk:
    """An event of a stream."""
    exchange = Exchange()
    exchange.client().receive(REQUEST)
    [upstream] = exchange.upstream
    upstream.receive(CHUNKED + EVENT)
    return _last_of(lambda: upstream.receive(EVENT))


WALKS: dict[str, Callable[[], Walk]] = {
    "a small POST": small_post,
    "a hit": hit,
    "a stored miss": stored_miss,
    "an event of a stream": event,
}


def table() -> str:
    """All of them, as C{docs/architecture.md} shows them."""
    lines = ["| walk | files | changes of file | our calls |", "|---|---|---|---|"]
    for name, make in WALKS.items():
        walk = make()
        lines.append(f"| {name} | {walk.files} | {walk.changes} | {walk.calls} |")
    return "\n".join(lines)


def _last_of(work: Callable[[], object]) -> Walk:
    """The walk of C{work} after what is done for the first of its kind alone."""
    for _ in range(3):
        work()
    return walked(work)


if __name__ == "__main__":
    print(table())
    if sys.argv[1:]:
        walk = WALKS[sys.argv[1]]()
        print(*(f"{file} {name}" for file, name in walk.steps), sep="\n")
