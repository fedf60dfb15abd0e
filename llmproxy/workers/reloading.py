"""A reload of all workers or of none: each compiles what is new, and only when all of them have, they take it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from ..errors import ConfigError
from .ipc import packed

if TYPE_CHECKING:
    from ..app.settings import Settings

WITHIN = 30.0
"""Seconds that a worker has to compile a configuration, and to take it."""

_log = Logger()


class Asked(Protocol):
    """A worker."""

    number: int

    def ask(self, kind: str, number: int, **values: Any) -> Deferred[Any]:
        """What it answers: the list of what is wrong."""


async def take_in_all(
    clock: Any,
    workers: Callable[[], Sequence[Asked]],
    question: Callable[[], int],
    settings: Settings,
    adopt: Callable[[], object],
    replace: Callable[[Any], object],
) -> None:
    """
    @param workers: gives those that run; one that is started meanwhile is among them at the next call.
    @param question: gives the number of the next question.
    @param adopt: called when all can serve it: workers that start from now on begin with it.
    @param replace: called with each that could not take it all the same: another one begins with it.
    @raise ConfigError: one of them cannot serve it; no one does then.
    """

    async def ask(kind: str, **values: Any) -> list[tuple[Asked, list[str]]]:
        asked, number = list(workers()), question()
        answers = await DeferredList(
            [each.ask(kind, number, **values).addTimeout(WITHIN, clock) for each in asked], consumeErrors=True
        )
        silent = "does not answer"
        return [(each, answer if good else [silent]) for each, (good, answer) in zip(asked, answers, strict=True)]

    prepared = await ask("prepare", apis=packed(settings.apis))
    problems = [f"worker {each.number}: {problem}" for each, found in prepared for problem in found]
    if problems:
        raise ConfigError(*problems)
    adopt()
    for each, found in await ask("commit"):
        if found:
            _log.warn(
                "worker {n} could not take the configuration ({why}): another one starts", n=each.number, why=found[0]
            )
            replace(each)
