"""What our reader accepts, compared with what others read in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from llmproxy.core.inspection.contenttype import media_type
from llmproxy.core.inspection.whitelist import Whitelist
from llmproxy.core.requestbody import inspect
from llmproxy.errors import ProxyError

from .generator import Body, bodies
from .readers import Values, others, python_readers

WHITELIST = Whitelist.compile({"model": ["ok"]})


class Difference(NamedTuple):
    """A body that ours takes, and in which a reader found what ours would have refused or did not see."""

    reader: str
    values: Values
    body: Body


class Comparison(NamedTuple):
    """
    @ivar made: how many bodies.
    @ivar accepted: those of them that ours accepts, by kind.
    @ivar read: how many of these each reader took too.
    """

    made: int
    accepted: Counter[str]
    read: Counter[str]
    differences: list[Difference]


def accepted(body: Body) -> str | None:
    """The model, C{""} for none; C{None} for what is refused."""
    try:
        return inspect(media_type([body.content_type] if body.content_type else []), body.content, WHITELIST)
    except ProxyError:
        return None


def compare(seed: int, count: int, install: bool = False) -> Comparison:
    """
    @param count: how many bodies are made.
    @param install: as of L{others}.
    """
    taken = [(body, model) for body in islice(bodies(seed), count) if (model := accepted(body)) is not None]
    read: Counter[str] = Counter()
    differences: list[Difference] = []
    answers: dict[str, Iterable[Values | None]] = {
        name: map(reader, (body for body, _ in taken)) for name, reader in python_readers().items()
    }
    for name, ask in others(install).items():
        answers[name] = ask(body for body, _ in taken)
    for name, each in answers.items():
        for (body, model), values in zip(taken, each, strict=True):
            if values is not None:
                read[name] += 1
                if not _same(body, model, values):
                    differences.append(Difference(name, values, body))
    return Comparison(count, Counter(body.kind for body, _ in taken), read, differences)


def _same(body: Body, model: str, values: Values) -> bool:
    if body.kind == "json":
        # A member of a similar name was judged as the model; only Go's reader takes it for that.
        exact = "model" in json.loads(body.content)
        return values == [json.dumps(model)] or (not exact and values == [])
    return values == ([model] if model else [])
