"""Usage read in the database itself, where no proxy is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from attrs import frozen
from twisted.internet.defer import Deferred, execute
from twisted.python.failure import Failure

from ..core.tokens import is_well_formed, token_hash
from ..errors import BadRequest, NotFound, ProxyError
from ..management.usage import UsageParameters, UsageRules
from ..management.usageanswers import plain_record
from .faults import Fault, NotThere
from .lookup import chosen_person
from .secretinput import read_secret_file
from .storage import check_revision, faults_of, located, reading

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from ..config.databases import Storage
    from ..store.backend import Backend

T = TypeVar("T")


class InTheDatabase:
    """
    @raise Fault: the database cannot be read, or is of another revision.
    """

    def __init__(self, storage: Storage) -> None:
        from ..store.schema import projects, tokens
        from ..store.usagequeries import UsageReports

        location = located(storage.database_url)
        with reading(location) as connection:
            check_revision(location, connection)
        self._transactions = _Transactions(location)
        self._projects = _Named(self._transactions, projects)
        self._tokens = _Named(self._transactions, tokens)
        reports = UsageReports(self._transactions)
        self._rules = UsageRules(time.time, self._projects, self._tokens, reports)  # type: ignore[arg-type]

    def project_id(self, text: str) -> str:
        if _done(self._projects.get(text)) is not None:
            return text
        found = _done(self._projects.called(text))
        if not found:
            raise NotThere(f"there is no project named {text!r}")
        return found[0].id

    def person_id(self, text: str) -> str:
        from sqlalchemy import or_, select

        from ..store.schema import people
        from ..store.search import contains

        names = ("id", "email", "subject", "name")
        like = (contains(people.c[name], text) for name in names[1:])
        query = select(*(people.c[name] for name in names)).where(or_(people.c.id == text, *like))
        found = _done(self._transactions.read(lambda connection: connection.execute(query).all()))
        if any(row.id == text for row in found):
            return text
        return chosen_person([row._asdict() for row in found], text)

    def token_ids(self, text: str) -> list[str]:
        secret = (read_secret_file("-") if text == "-" else text).strip().encode()
        if is_well_formed(secret):
            held = _done(self._tokens.held(token_hash(secret)))
            if held is None:
                raise NotThere("there is no token with this secret")
            return [held.id]
        if _done(self._tokens.get(text)) is not None:
            return [text]
        found = _done(self._tokens.called(text))
        if not found:
            raise NotThere(f"there is no token named {text!r}")
        return [each.id for each in found]

    def report(self, **query: Any) -> dict[str, Any]:
        with_forecast = bool(query.pop("forecast", None))
        return self._answer(self._report(query, with_forecast))

    def records(self, size: int, **query: Any) -> Iterator[list[dict[str, Any]]]:
        question = self._answer(self._question(query))
        after = None
        while True:
            page = self._answer(self._rules.records(question, size, after))
            yield [_as_json(plain_record(entry)) for entry in page.items]
            after = page.after
            if after is None:
                return

    async def _question(self, query: dict[str, Any]) -> Any:
        given = {{"from": "since", "to": "until"}.get(name, name): value for name, value in query.items() if value}
        return self._rules.question(UsageParameters(**given))

    async def _report(self, query: dict[str, Any], with_forecast: bool) -> dict[str, Any]:
        question = await self._question(query)
        return await self._rules.report(question, with_forecast=with_forecast)

    def _answer(self, asking: Coroutine[Deferred[Any], Any, T]) -> T:
        try:
            return _done(Deferred.fromCoroutine(asking))
        except (BadRequest, NotFound) as error:
            raise Fault(f"{error.message}: {error.description}") from None
        except ProxyError as error:
            raise Fault(error.description or error.message) from None


@frozen
class _Row:
    id: str
    name: str | None


class _Transactions:
    """The part of a database that reading takes, each call in a transaction of its own, at once."""

    def __init__(self, location: Backend) -> None:
        self._location = location
        self._engine = location.engine()

    def read(self, call: Callable[[Connection], T]) -> Deferred[T]:
        return execute(self._read, call)

    run = read

    def _read(self, call: Callable[[Connection], T]) -> T:
        with faults_of(self._location), self._engine.begin() as connection:
            return call(connection)


class _Named:
    """What a report needs of projects or tokens: their names."""

    def __init__(self, transactions: _Transactions, table: Any) -> None:
        self._transactions = transactions
        self._table = table

    def list(self) -> Deferred[Sequence[_Row]]:
        return self._rows()

    def get(self, row_id: str) -> Deferred[_Row | None]:
        return self._one(self._table.c.id == row_id)

    def called(self, name: str) -> Deferred[Sequence[_Row]]:
        return self._rows(self._table.c.name == name)

    def held(self, token_hash: str) -> Deferred[_Row | None]:
        """The token whose present secret has this hash."""
        return self._one(self._table.c.token_hash == token_hash)

    def _one(self, *conditions: Any) -> Deferred[_Row | None]:
        return self._rows(*conditions).addCallback(lambda rows: rows[0] if rows else None)

    def _rows(self, *conditions: Any) -> Deferred[Sequence[_Row]]:
        from sqlalchemy import select

        query = select(self._table.c.id, self._table.c.name).where(*conditions)
        return self._transactions.read(lambda connection: [_Row(*row) for row in connection.execute(query)])


def _done(deferred: Deferred[T]) -> T:
    """The result of what waits for nobody."""
    results: list[Any] = []
    deferred.addBoth(results.append)
    (result,) = results
    if isinstance(result, Failure):
        result.raiseException()
    found: T = result
    return found


def _as_json(record: dict[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(record)
    return plain
