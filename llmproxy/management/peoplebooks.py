"""People in the books: lists of them with their devices and what they spend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen

from ..core.people.person import Person
from ..core.reports import money
from ..errors import BadRequest, NotFound, Unavailable
from ..message import Page, Token
from .atonce import all_of
from .usage import MOST_VALUES, UsageParameters

if TYPE_CHECKING:
    from ..core.deviceflow import Device
    from ..interfaces.devices import IDeviceStore
    from .people import PeopleRules
    from .usage import UsageRules


@frozen
class Spent:
    """
    @ivar devices: that are good.
    @ivar requests: C{None} where usage is not kept, or cannot be asked for now.
    @ivar cost: USD, exact; likewise.
    """

    devices: int
    requests: int | None = None
    cost: str | None = None


class PeopleBooks:
    """
    @param people: the rules of people; C{usage} those of usage.
    """

    def __init__(self, people: PeopleRules, devices: IDeviceStore, usage: UsageRules) -> None:
        self.people = people
        self.usage = usage
        self._devices = devices

    async def page(self, limit: int, after: str | None, text: str | None, is_revoked: bool | None) -> Page[Person]:
        """
        See L{PeopleRules.list}.

        @raise BadRequest: C{after} is none that a page gave out.
        """
        try:
            return await self.people.list(limit, after, text=text, is_revoked=is_revoked)
        except ValueError:
            raise BadRequest("expected the one of the link to the next page", message="invalid cursor") from None

    async def spent(self, people: Sequence[Person], since: str) -> list[Spent]:
        """
        What each of them has.

        @param since: from when on usage counts, as L{UsageParameters.since}.
        @raise BadRequest: it cannot be understood.
        """
        ids = [person.id for person in people]
        devices, used = await all_of([self._devices_of(ids), self._all_used(ids, since)])
        nothing = (None, None) if used is None else (0, "0")
        return [Spent(devices.get(each, 0), *(used or {}).get(each, nothing)) for each in ids]

    async def _devices_of(self, ids: Sequence[str]) -> dict[str, int]:
        return await self._devices.counts(ids) if ids else {}

    async def _all_used(self, ids: Sequence[str], since: str) -> dict[str, tuple[int, str]] | None:
        used: dict[str, tuple[int, str]] | None = {}
        for at in range(0, len(ids), MOST_VALUES):
            found = await self._used(ids[at : at + MOST_VALUES], since)
            used = None if used is None or found is None else used | found
        return used

    async def devices_of(self, person_id: str) -> Sequence[Device]:
        """
        @raise NotFound: there is no such person.
        """
        await self.people.get(person_id)
        return await self._devices.of_person(person_id)

    async def end_device(self, person_id: str, device_id: str) -> Device:
        """
        Let a device in no longer: its tokens and running exchanges end at once. Idempotent.

        @raise NotFound: the person has no such device.
        """
        known = await self._devices.get(device_id)
        if known is None or known.person_id != person_id:
            raise NotFound(message="device not found")
        await self.people.state.alone(lambda: self._end(device_id))
        return known

    async def _end(self, device_id: str) -> None:
        for token in await self._devices.end(device_id, "revoked") or ():
            self.people.state.directory.token_changed(token)

    async def _used(self, ids: Sequence[str], since: str) -> dict[str, tuple[int, str]] | None:
        question = self.usage.question(UsageParameters("person", since=since), persons=tuple(ids))
        try:
            report = await self.usage.sums(question)
        except Unavailable:
            return None
        return {str(row.keys["person"]): (row.sums.requests, money(row.sums.cost)) for row in report.rows}


def token_like(person: Person) -> Token:
    """A token as somebody would get one: what holds of it holds of all that they have."""
    return Token(
        "",
        "",
        "",
        person.project_id or "",
        None,
        limits=person.limits,
        person_id=person.id,
        budget_reset_at=person.budget_reset_at,
    )
