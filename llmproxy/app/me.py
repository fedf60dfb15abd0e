"""C{/me}, put together: what people may know of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from ..admin.mepages import PURPOSE, MePages
from ..management.limits import left_of
from ..management.peoplebooks import PeopleBooks, token_like
from ..management.usage import UsageParameters
from ..store.devices import DeviceStore
from ..web.manage.limits import view_of_left
from ..web.manage.people import view_of_device
from .devicesignin import ProviderSignIn

if TYPE_CHECKING:
    from ..core.people.person import Person
    from ..management.usage import UsageRules
    from .foundation import Foundation
    from .identity import Identity

SPAN = "30d"


class OfPeople:
    """See L{llmproxy.admin.mepages.Mine}."""

    def __init__(self, books: PeopleBooks) -> None:
        self._books = books

    async def report(self, person: Person, group_by: str) -> dict[str, Any]:
        question = self._books.usage.question(UsageParameters(group_by, since=SPAN, top=20), persons=(person.id,))
        return await self._books.usage.report(question)

    async def limits(self, person: Person) -> list[dict[str, Any]]:
        state = self._books.people.state
        left = await left_of(state.limits, None, token_like(person), state.seconds())
        return [to_builtins(view_of_left(each)) for each in left]

    async def devices(self, person: Person) -> list[dict[str, Any]]:
        return [to_builtins(view_of_device(each)) for each in await self._books.devices_of(person.id)]

    async def end_device(self, person: Person, device_id: str) -> object:
        return await self._books.end_device(person.id, device_id)


def me_pages(foundation: Foundation, identity: Identity, usage: UsageRules) -> MePages:
    """The pages of a proxy where people sign in."""
    stored, reactor = foundation.stored, foundation.reactor
    assert stored is not None, "identity asks for a database"
    books = PeopleBooks(identity.people, DeviceStore(reactor, stored.database), usage)
    return MePages(
        OfPeople(books),
        ProviderSignIn(identity, PURPOSE),
        reactor.seconds,
        foundation.settings.apis.trusted(),
        foundation.audit_log,
    )
