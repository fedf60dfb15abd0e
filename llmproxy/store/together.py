"""
Reads of one page, together: those that are asked for at once are made in one transaction, and see one moment.

Who begins several calls within L{begun_together} need not know what they read, nor they of each other: a database looks
whether a read is part of such a group. What two of them ask alike is asked once, see L{once}.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

T = TypeVar("T")
Read = Callable[["Connection"], Any]
Seen = dict[Hashable, Any]
"""What was found out already, by what it was asked as."""

ReadAll = Callable[[Sequence[Read], Seen], "Deferred[list[Any]]"]
"""Makes several reads in one transaction; its results stand in their order, a L{Failure} for what one has raised."""

Steps = Callable[["Connection"], Generator[Any, Any, Any]]

_SEEN = "llmproxy_seen"
_GROUP: ContextVar[Group | None] = ContextVar("reads of a page", default=None)


class Group:
    """Reads that wait until all who ask at once have asked."""

    def __init__(self) -> None:
        self._held = 0
        self._seen: Seen = {}
        self._waiting: list[tuple[ReadAll, Read, Deferred[Any]]] = []

    def read(self, read_all: ReadAll, call: Read) -> Deferred[Any]:
        """@param read_all: of the database that C{call} is for."""
        found: Deferred[Any] = Deferred()
        self._waiting.append((read_all, call, found))
        self._go_on()
        return found

    @contextmanager
    def held(self) -> Iterator[None]:
        """What is asked for meanwhile waits for the end of it."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            self._go_on()

    def _go_on(self) -> None:
        while self._waiting and not self._held:
            waiting, self._waiting = self._waiting, []
            first = waiting[0][0]
            mine = [each for each in waiting if each[0] == first]
            self._waiting = [each for each in waiting if each[0] != first]
            asked = [found for _, _, found in mine]
            first([call for _, call, _ in mine], self._seen).addCallbacks(
                self._found, self._failed, (asked,), {}, (asked,), {}
            )

    def _found(self, results: Sequence[Any], asked: Sequence[Deferred[Any]]) -> None:
        # What they ask next is asked together again.
        with self.held():
            for found, result in zip(asked, results, strict=True):
                if not found.called:
                    found.callback(result)

    def _failed(self, reason: Failure, asked: Sequence[Deferred[Any]]) -> None:
        self._found([reason] * len(asked), asked)


def group() -> Group | None:
    """The one that a read belongs to which is asked for now."""
    return _GROUP.get()


def begun_together(begin: Callable[[], T]) -> T:
    """
    What C{begin} answers: it begins calls that read, each a L{Deferred} of a coroutine, which keeps this context.
    """
    reads = Group()
    token = _GROUP.set(reads)
    try:
        with reads.held():
            return begin()
    finally:
        _GROUP.reset(token)


def every(connection: Connection, calls: Sequence[Read], seen: Seen) -> list[Any]:
    """
    The results of several reads in one transaction; what one of them raises is its result alone.

    @param seen: what was found out for the same page, which takes what is found out here.
    """
    connection.info[_SEEN] = seen
    try:
        for before in {each for call in calls if (each := getattr(call, "before", None)) is not None}:
            before(connection)
        answers = _stepped(connection, calls)
        return [answers[at] if at in answers else _result(connection, call) for at, call in enumerate(calls)]
    finally:
        del connection.info[_SEEN]


def _result(connection: Connection, call: Read) -> Any:
    try:
        return call(connection)
    except SQLAlchemyError:
        # The transaction is over for all of them.
        raise
    except Exception:
        return Failure()


def _stepped(connection: Connection, calls: Sequence[Read]) -> dict[int, Any]:
    """The results of those that are made in steps, by their places: each step is made with those of the others."""
    found: dict[int, Any] = {}
    made = {at: call.steps(connection) for at, call in enumerate(calls) if hasattr(call, "steps")}
    rows = dict.fromkeys(made)
    while made:
        wanted = {}
        for at, steps in list(made.items()):
            try:
                wanted[at] = steps.send(rows[at])
                continue
            except StopIteration as end:
                found[at] = end.value
            except SQLAlchemyError:
                raise
            except Exception:
                found[at] = Failure()
            del made[at]
        if wanted:
            read_all = calls[min(wanted)].read_all  # type: ignore[attr-defined]
            rows = dict(zip(wanted, read_all(connection, list(wanted.values())), strict=True))
    return found


def stepwise(steps: Steps, read_all: Callable[[Connection, Sequence[Any]], list[Any]]) -> Read:
    """
    A read that is made in steps, each a query whose rows are sent back; of several reads each is made with the others'.

    @param read_all: reads several queries.
    """

    def read(connection: Connection) -> Any:
        return finished(connection, steps(connection))

    read.steps, read.read_all = steps, read_all  # type: ignore[attr-defined]
    return read


def finished(connection: Connection, steps: Generator[Any, Any, T]) -> T:
    """What steps come to that are made by themselves."""
    rows = None
    while True:
        try:
            query = steps.send(rows)
        except StopIteration as end:
            found: T = end.value
            return found
        rows = connection.execute(query).all()


def beginning(before: Callable[[Connection], None], call: Read) -> Read:
    """C{call}, in a transaction that sees one moment, and has to begin with C{before}."""
    call.before, call.sees_one_moment = before, True  # type: ignore[attr-defined]
    return call


def single(call: Read) -> Read:
    """C{call}, that makes one statement: it needs no transaction."""
    call.is_single = True  # type: ignore[attr-defined]
    return call


def all_of(calls: Sequence[Read], together: Read) -> Read:
    """C{together}, which makes all of C{calls}, in a transaction as they need one."""
    if all(map(is_single, calls)):
        return single(together)
    together.sees_one_moment = any(map(sees_one_moment, calls))  # type: ignore[attr-defined]
    return together


def is_single(call: Read) -> bool:
    """Whether L{single} was said of it."""
    return getattr(call, "is_single", False)


def sees_one_moment(call: Read) -> bool:
    """Whether L{beginning} was said of it."""
    return getattr(call, "sees_one_moment", False)


def is_together(connection: Connection) -> bool:
    """Whether reads of a page are made, see L{every}."""
    return _SEEN in connection.info


def once(connection: Connection, key: Hashable, make: Callable[[], T]) -> T:
    """What C{make} answers; of all reads of one page it is asked once for each C{key}."""
    seen = connection.info.get(_SEEN)
    if seen is None:
        return make()
    if key not in seen:
        seen[key] = make()
    found: T = seen[key]
    return found
