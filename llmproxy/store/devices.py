"""Devices in the database: programs that wait until a person lets them in, and those that one has let in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from attrs import fields
from sqlalchemy import and_, func, or_, select
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..core.deviceflow import KEPT_ENDED, KEPT_EXPIRED, MOST_DEVICES, SUSPECT_FOR, Answer, Device, Grant, asked
from ..core.failures import network_of
from ..interfaces.devices import IDeviceStore
from ..message import Token
from . import bulk
from .devicetables import device_grants, devices
from .people import add_token, is_good
from .projects import activity
from .schema import tokens
from .together import single
from .tokens import COLUMNS as TOKEN_COLUMNS
from .tokens import token_of

if TYPE_CHECKING:
    from .contracts import INotedTransactions

_GRANT = tuple(device_grants.columns)
_DEVICE = tuple(devices.c[each.name] for each in fields(Device))


@implementer(IDeviceStore)
class DeviceStore:
    """
    Who has let a device in is locked first, as L{llmproxy.store.people.PeopleStore} wants it.
    """

    def __init__(self, clock: Any, database: INotedTransactions) -> None:
        self._seconds = clock.seconds
        self._database = database

    def add_grant(self, grant: Grant, most: int) -> Deferred[bool]:
        def add(connection: Connection) -> bool:
            old = device_grants.c.expires_at < grant.created_at - KEPT_EXPIRED
            connection.execute(device_grants.delete().where(old))
            if (connection.scalar(select(func.count()).select_from(device_grants)) or 0) >= most:
                return False
            # A code that was typed, or that nobody typed in time, is free.
            same = device_grants.c.user_code_hash == grant.user_code_hash
            waits = and_(device_grants.c.state == "pending", device_grants.c.expires_at > grant.created_at)
            connection.execute(device_grants.delete().where(same, ~waits))
            connection.execute(device_grants.insert().values(_grant_row(grant)))
            return True

        return self._database.run(add).addErrback(_taken)

    def by_user_code(self, user_code_hash: str) -> Deferred[Grant | None]:
        query = select(*_GRANT).where(device_grants.c.user_code_hash == user_code_hash)
        return self._database.read(lambda connection: _grant(connection.execute(query).first()))

    def decide(self, grant_id: str, person_id: str, approved: bool) -> Deferred[bool]:
        which = and_(
            device_grants.c.id == grant_id,
            device_grants.c.state == "pending",
            device_grants.c.expires_at > self._seconds(),
        )
        values: dict[str, Any] = {"state": "approved" if approved else "denied", "person_id": person_id}
        if not approved:
            values |= {"provider_token": None}

        def decide(connection: Connection) -> bool:
            if not is_good(connection, person_id):
                return False
            return bool(connection.execute(device_grants.update().where(which).values(values)).rowcount)

        return self._database.run(decide)

    def remember(self, grant_id: str, person_id: str, provider_token: str) -> Deferred[None]:
        which = and_(device_grants.c.id == grant_id, device_grants.c.state == "pending")
        kept = {"person_id": person_id, "provider_token": provider_token}
        return self._changed(device_grants.update().where(which).values(kept))

    def claim(self, device: Device, until: float) -> Deferred[bool]:
        free = or_(devices.c.asking_until.is_(None), devices.c.asking_until <= self._seconds())
        same = (
            devices.c.checked_at.is_(None) if device.checked_at is None else devices.c.checked_at == device.checked_at
        )
        which = and_(devices.c.id == device.id, devices.c.ended_at.is_(None), free, same)
        claimed = devices.update().where(which).values(asking_until=until)
        return self._database.run(lambda connection: bool(connection.execute(claimed).rowcount))

    def unclaim(self, device_id: str) -> Deferred[None]:
        return self._changed(devices.update().where(devices.c.id == device_id).values(asking_until=None))

    def checked(self, device_id: str, provider_token: str | None, at: float) -> Deferred[None]:
        which = and_(devices.c.id == device_id, devices.c.ended_at.is_(None))
        values = {"provider_token": provider_token, "checked_at": at, "asking_until": None}
        return self._changed(devices.update().where(which).values(values))

    def stale(self, device_id: str, at: float) -> Deferred[None]:
        which = and_(devices.c.id == device_id, devices.c.ended_at.is_(None))
        return self._changed(devices.update().where(which).values(stale_at=at))

    def asked(self, grant_id: str) -> Deferred[tuple[Answer, Grant] | None]:
        now = self._seconds()
        which = device_grants.c.id == grant_id

        def ask(connection: Connection) -> tuple[Answer, Grant] | None:
            # The first thing that is done is a write: another that asks at the same time waits.
            connection.execute(device_grants.update().where(which).values(id=grant_id))
            grant = _grant(connection.execute(select(*_GRANT).where(which)).first())
            if grant is None:
                return None
            answer, after = asked(grant, now)
            if after != grant:
                row = _grant_row(after)
                changes = {name: row[name] for name in ("asked_at", "interval_ms")}
                connection.execute(device_grants.update().where(which).values(changes))
            return answer, after

        return self._database.run(ask)

    def redeem(self, grant_id: str, device: Device, token: Token) -> Deferred[list[Token] | None]:
        now = self._seconds()
        which = and_(
            device_grants.c.id == grant_id,
            device_grants.c.state == "approved",
            device_grants.c.person_id == device.person_id,
            device_grants.c.expires_at > now,
        )

        def redeem(connection: Connection) -> list[Token] | None:
            if not is_good(connection, device.person_id):
                return None
            used = device_grants.update().where(which).values(state="used", provider_token=None)
            if not connection.execute(used).rowcount:
                return None
            gone = devices.c.ended_at < now - KEPT_ENDED, devices.c.expires_at < now - KEPT_ENDED
            for each in gone:
                connection.execute(devices.delete().where(each))
            mine = and_(devices.c.person_id == device.person_id, devices.c.ended_at.is_(None))
            suspect = select(*_DEVICE).where(
                mine,
                devices.c.stale_at > now - SUSPECT_FOR,
                devices.c.refreshed_from == network_of(device.address),
                devices.c.program == device.program,
            )
            ended = self._end_devices(connection, suspect.limit(MOST_DEVICES), "reuse", now)
            add_token(connection, token)
            connection.execute(devices.insert().values(_device_row(device)))
            rest = select(*_DEVICE).where(mine).order_by(devices.c.used_at.desc(), devices.c.id).offset(MOST_DEVICES)
            return ended + self._end_devices(connection, rest.limit(MOST_DEVICES), "replaced", now)

        return self._database.run(redeem)

    def by_selector(self, selector_hash: str) -> Deferred[Device | None]:
        return self._one(devices.c.selector_hash == selector_hash)

    def get(self, device_id: str) -> Deferred[Device | None]:
        return self._one(devices.c.id == device_id)

    def counts(self, person_ids: Sequence[str]) -> Deferred[dict[str, int]]:
        now = self._seconds()

        def counts(connection: Connection) -> dict[str, int]:
            found: dict[str, int] = {}
            for chunk in bulk.chunks(person_ids, 500):
                good = devices.c.ended_at.is_(None), devices.c.expires_at > now
                mine = bulk.among(connection.dialect.name, devices.c.person_id, chunk)
                query = select(devices.c.person_id, func.count()).where(mine, *good).group_by(devices.c.person_id)
                found |= {row[0]: row[1] for row in connection.execute(query)}
            return found

        return self._database.read(single(counts) if len(person_ids) <= 500 else counts)

    def of_person(self, person_id: str) -> Deferred[list[Device]]:
        query = select(*_DEVICE).where(devices.c.person_id == person_id)
        query = query.order_by(devices.c.used_at.desc(), devices.c.id).limit(1000)
        return self._database.read(single(lambda connection: [Device(*row) for row in connection.execute(query)]))

    def rotate(
        self, device: Device, token: Token, secret_hash: str, ending: str | None
    ) -> Deferred[list[Token] | None]:
        which = and_(devices.c.id == device.id, devices.c.secret_hash == secret_hash, devices.c.ended_at.is_(None))
        row = _device_row(device)
        changes = {
            name: row[name] for name in ("secret_hash", "token_id", "former_token_id", "used_at", "refreshed_from")
        }
        now = self._seconds()

        def rotate(connection: Connection) -> list[Token] | None:
            if not is_good(connection, device.person_id):
                return None
            if not connection.execute(devices.update().where(which).values(changes)).rowcount:
                return None
            add_token(connection, token)
            return self._end_tokens(connection, [ending], now)

        return self._database.run(rotate)

    def end(self, device_id: str, because: str) -> Deferred[list[Token] | None]:
        now = self._seconds()

        def end(connection: Connection) -> list[Token] | None:
            open_ = and_(devices.c.id == device_id, devices.c.ended_at.is_(None))
            ended = {"ended_at": now, "ended_because": because, "provider_token": None}
            connection.execute(devices.update().where(open_).values(ended))
            row = connection.execute(select(*_DEVICE).where(devices.c.id == device_id)).first()
            if row is None:
                return None
            device = Device(*row)
            return self._end_tokens(connection, [device.token_id, device.former_token_id], now)

        return self._database.run(end)

    def _changed(self, statement: Any) -> Deferred[None]:
        def change(connection: Connection) -> None:
            connection.execute(statement)

        return self._database.run(change)

    def _one(self, which: Any) -> Deferred[Device | None]:
        def find(connection: Connection) -> Device | None:
            row = connection.execute(select(*_DEVICE).where(which)).first()
            return None if row is None else Device(*row)

        return self._database.read(find)

    def _end_devices(self, connection: Connection, query: Any, because: str, now: float) -> list[Token]:
        ended: list[Token] = []
        for row in connection.execute(query).all():
            device = Device(*row)
            values = {"ended_at": now, "ended_because": because, "provider_token": None}
            connection.execute(devices.update().where(devices.c.id == device.id).values(values))
            ended += self._end_tokens(connection, [device.token_id, device.former_token_id], now)
        return ended

    def _end_tokens(self, connection: Connection, ids: Iterable[str | None], now: float) -> list[Token]:
        ended = []
        for token_id in ids:
            if token_id is None:
                continue
            which = and_(tokens.c.id == token_id, tokens.c.is_active)
            changes = {**activity(tokens, False, now), "version": tokens.c.version + 1}
            if connection.execute(tokens.update().where(which).values(changes)).rowcount:
                self._database.note(connection, "token", token_id)
                found = connection.execute(select(*TOKEN_COLUMNS).where(tokens.c.id == token_id)).first()
                ended.append(token_of(found))
        return ended


def _taken(reason: Any) -> bool:
    """Another grant has this code: a new one has to be made."""
    reason.trap(IntegrityError)
    return False


def _grant_row(grant: Grant) -> dict[str, Any]:
    row = {column.name: getattr(grant, column.name, None) for column in _GRANT}
    return row | {"interval_ms": round(grant.interval * 1000)}


def _grant(row: Any) -> Grant | None:
    if row is None:
        return None
    values = row._asdict()
    interval = values.pop("interval_ms") / 1000
    return Grant(**values, interval=interval)


def _device_row(device: Device) -> dict[str, Any]:
    return {column.name: getattr(device, column.name) for column in _DEVICE}
