"""C{/me}: what somebody who signs in by an identity provider has used, what is left, and their devices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from ..core.cookies import ME, ME_ATTEMPT, own
from ..core.people.person import Person
from ..errors import NotFound, Unavailable
from .answers import Page
from .pages.projects import limits_of
from .personpages import CALLBACK, SECONDS, SIGN_IN, PersonPages, SignsIn
from .site import DISPLAY

if TYPE_CHECKING:
    from ..core.forwarded import TrustedProxies
    from ..interfaces import IAuditLogger
    from .exchange import PageExchange

PURPOSE = "me"
"""What a sign-in at a provider is for: one for another purpose opens nothing here."""

STAYS = 3600
"""Seconds for which somebody stays signed in; whether they are, or were, shut out is looked at each time."""

_OUT, _END = "/sign-out", "/end-device"


class Mine(Protocol):
    """What somebody may know of themselves; see L{llmproxy.app.me}."""

    def report(self, person: Person, group_by: str) -> Awaitable[dict[str, Any]]:
        """
        Their usage of the last 30 days, as the management API has it.

        @raise Unavailable: it cannot be asked for now.
        """

    def limits(self, person: Person) -> Awaitable[list[dict[str, Any]]]:
        """What is left of their limits, likewise."""

    def devices(self, person: Person) -> Awaitable[list[dict[str, Any]]]:
        """What they have let in, likewise."""

    def end_device(self, person: Person, device_id: str) -> Awaitable[object]:
        """
        @raise NotFound: they have no such device.
        """


class MePages(PersonPages):
    """
    The same templates, static files and protection as the admin pages, for who has no role there: somebody sees what is
    theirs, and nothing else.

    @param mine: what there is of a person.
    """

    area = "me"

    def __init__(
        self,
        mine: Mine,
        signs_in: SignsIn,
        seconds: Callable[[], float],
        trusted: TrustedProxies | None,
        audit: IAuditLogger | None,
    ) -> None:
        super().__init__(signs_in, seconds, trusted, audit)
        self._mine = mine

    async def _find(self, exchange: PageExchange) -> None:
        path, is_post = exchange.path, exchange.method == "POST"
        if path == DISPLAY and is_post:
            self._set_display(exchange)
        elif path.startswith(SIGN_IN) and not is_post:
            await self._to_provider(exchange, path.removeprefix(SIGN_IN))
        elif path.startswith(CALLBACK) and not is_post:
            await self._back(exchange, path.removeprefix(CALLBACK))
        elif path == _OUT and is_post:
            exchange.set_cookie(ME, "", 0)
            exchange.redirect(exchange.base + "/")
        elif path in ("/", _END):
            await self._of_person(exchange)
        else:
            self._send_error(exchange, None, 404, "There is no such page.")

    # -- signing in

    async def _to_provider(self, exchange: PageExchange, provider: str) -> None:
        begun = await self._signs_in.begin(provider, self._redirect_uri(exchange, provider), "")
        exchange.set_cookie(ME_ATTEMPT, begun.cookie, SECONDS)
        exchange.redirect(begun.url)

    async def _back(self, exchange: PageExchange, provider: str) -> None:
        cookie = own(exchange.cookies, ME_ATTEMPT, exchange.secure)
        exchange.set_cookie(ME_ATTEMPT, "", 0)
        parameters = {name: exchange.query[name] for name in exchange.query}
        returned = await self._signs_in.finish(provider, self._redirect_uri(exchange, provider), parameters, cookie)
        person = await self._signs_in.person(returned.asserted)
        until = self._now() + STAYS
        kept = {"person": person.id, "at": person.last_seen_at, "until": until}
        exchange.set_cookie(ME, self._signs_in.seal(ME, kept), STAYS)
        self._note(exchange, "me.sign_in", person.actor, "success", person_id=person.id)
        # The code of the provider is in no address that stays.
        exchange.redirect(exchange.base + "/")

    # -- somebody's own

    async def _of_person(self, exchange: PageExchange) -> None:
        person = await self._person(exchange)
        if person is None:
            providers = [{"name": name, "label": label} for name, label in self._signs_in.providers()]
            self._send_page(exchange, None, Page("me-sign-in.html", {"providers": providers}))
        elif exchange.path == _END:
            await self._end_device(exchange, person)
        else:
            await self._show(exchange, person)

    async def _person(self, exchange: PageExchange) -> Person | None:
        """Who is signed in; C{None} for nobody."""
        kept = self._signs_in.open(ME, own(exchange.cookies, ME, exchange.secure))
        if not isinstance(kept, dict) or kept.get("until", 0) <= self._now():
            return None
        try:
            person = await self._signs_in.known(str(kept.get("person")))
        except NotFound:
            return None
        return person if person.is_signed_in(kept.get("at", 0)) else None

    async def _show(self, exchange: PageExchange, person: Person) -> None:
        try:
            by_model, by_session = [await self._mine.report(person, group) for group in ("model", "session")]
        except Unavailable:
            by_model = by_session = {"totals": None, "data": []}
        context = {
            "person": person,
            "called": person.name or person.email or person.subject,
            "usage": by_model["totals"],
            "by_model": by_model["data"],
            "by_session": by_session["data"],
            "limits": limits_of({"limits_left": await self._mine.limits(person)}),
            "devices": await self._mine.devices(person),
        }
        self._send_page(exchange, None, Page("me.html", context))

    async def _end_device(self, exchange: PageExchange, person: Person) -> None:
        if exchange.method != "POST":
            self._send_error(exchange, None, 404, "There is no such page.")
            return
        device_id = exchange.form.text("device")
        await self._mine.end_device(person, device_id)
        self._note(exchange, "me.end_device", person.actor, "success", person_id=person.id, device_id=device_id[:64])
        exchange.redirect(exchange.base + "/")
