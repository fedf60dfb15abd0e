"""Calls that must not be done twice, in the database: for all workers and machines that share it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, literal, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import Unavailable
from ..interfaces import IIdempotencyStore
from ..message import IdempotentCall
from .schema import Moment, idempotency_keys

if TYPE_CHECKING:
    from .contracts import ITransactions

PRUNE_EVERY = 64
"""New calls of a process; with the first of them, and then with each so-manieth, all that is over goes."""

_COLUMNS = (
    idempotency_keys.c.fingerprint,
    idempotency_keys.c.begun_at,
    idempotency_keys.c.status,
    idempotency_keys.c.answer,
)
"""In the order of L{IdempotentCall}'s fields."""


@implementer(IIdempotencyStore)
class IdempotencyStore:
    """The primary key decides between two that come at once: one is new, the other learns of it."""

    _log = Logger()

    def __init__(self, clock: Any, database: ITransactions) -> None:
        self._seconds = clock.seconds
        self._database = database
        self._begun = 0

    def begin(self, actor: str, key_hash: str, fingerprint: str, lifetime: float) -> Deferred[IdempotentCall | None]:
        now = self._seconds()
        row = {
            "actor": actor,
            "key_hash": key_hash,
            "fingerprint": fingerprint,
            "begun_at": now,
            "expires_at": now + lifetime,
        }
        which = _which(actor, key_hash)

        def insert(connection: Connection) -> None:
            connection.execute(idempotency_keys.delete().where(which, _over(now)))
            connection.execute(idempotency_keys.insert().values(row))

        def there(reason: Any) -> Deferred[IdempotentCall]:
            reason.trap(IntegrityError)
            return self._database.read(lambda connection: _found(connection, which))

        return self._prune(now).addCallback(lambda _: self._database.run(insert)).addErrback(there)

    def finish(self, actor: str, key_hash: str, status: int, answer: str) -> Deferred[None]:
        statement = idempotency_keys.update().where(_which(actor, key_hash)).values(status=status, answer=answer)
        return self._database.run(lambda connection: connection.execute(statement)).addCallback(lambda _: None)

    def forget(self, actor: str, key_hash: str) -> Deferred[None]:
        statement = idempotency_keys.delete().where(_which(actor, key_hash))
        return self._database.run(lambda connection: connection.execute(statement)).addCallback(lambda _: None)

    def _prune(self, now: float) -> Deferred[Any]:
        count, self._begun = self._begun, self._begun + 1
        if count % PRUNE_EVERY:
            return succeed(None)
        pruning = self._database.run(lambda connection: connection.execute(idempotency_keys.delete().where(_over(now))))
        # It is tried again; the caller has nothing to do with it.
        return pruning.addErrback(lambda reason: self._log.failure("old keys could not be removed", reason))


def _which(actor: str, key_hash: str) -> Any:
    return and_(idempotency_keys.c.actor == actor, idempotency_keys.c.key_hash == key_hash)


def _over(now: float) -> Any:
    return idempotency_keys.c.expires_at <= literal(now, Moment())


def _found(connection: Connection, which: Any) -> IdempotentCall:
    row = connection.execute(select(*_COLUMNS).where(which)).first()
    if row is None:
        raise Unavailable("the call with this key has just failed")
    return IdempotentCall(*row)
