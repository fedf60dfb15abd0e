"""C{/me}: what somebody who signs in by an identity provider has used, what is left, and their devices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import to_builtins

from ..core.cookies import ME, ME_ATTEMPT, own
from ..core.people.person import Person
from ..errors import Forbidden, NotFound, ProxyError, Unauthorized, Unavailable
from .answers import Page
from .devicepages import SECONDS, SignInRefused, SignsIn
from .pages.projects import limits_of
from .site import DISPLAY, AdminPages

if TYPE_CHECKING:
    from ..core.forwarded import TrustedProxies
    from ..interfaces import IAuditLogger
    from .exchange import PageExchange

PURPOSE = "me"
"""What a sign-in at a provider is for: one for another purpose opens nothing here."""

STAYS = 3600
"""Seconds for which somebody stays signed in; whether they are shut out is looked at each time."""

_SIGN_IN, _CALLBACK, _SIGN_OUT, _END = "/sign-in/", "/callback/", "/sign-out", "/end-device"


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


class MePages(AdminPages):
    """
    The same templates, static files and protection as the admin pages, for who has no role there: somebody sees what is
    theirs, and nothing else.

    @param mine: what there is of a person.
    """

    def __init__(
        self,
        mine: Mine,
        signs_in: SignsIn,
        seconds: Callable[[], float],
        trusted: TrustedProxies | None,
        audit: IAuditLogger | None,
    ) -> None:
        super().__init__(_NoBackend(), seconds, trusted)  # type: ignore[arg-type]
        self._mine = mine
        self._signs_in = signs_in
        self._audit = audit
        self._now = seconds

    async def _page(self, exchange: PageExchange) -> None:
        path, is_post = exchange.path, exchange.method == "POST"
        try:
            if is_post and not self._is_trusted_form(exchange):
                raise SignInRefused("The form was not accepted: it is too old. Load the page anew.", 403)
            if path == DISPLAY and is_post:
                self._set_display(exchange)
            elif path.startswith(_SIGN_IN) and not is_post:
                await self._to_provider(exchange, path.removeprefix(_SIGN_IN))
            elif path.startswith(_CALLBACK) and not is_post:
                await self._back(exchange, path.removeprefix(_CALLBACK))
            elif path == _SIGN_OUT and is_post:
                exchange.set_cookie(ME, "", 0)
                exchange.redirect(exchange.base + "/")
            elif path in ("/", _END):
                await self._of_person(exchange)
            else:
                self._send_error(exchange, None, 404, "There is no such page.")
        except SignInRefused as refused:
            self._send_error(exchange, None, refused.status, refused.words)
        except ProxyError as error:
            self._failed_for(exchange, error)

    def _failed_for(self, exchange: PageExchange, error: ProxyError) -> None:
        if isinstance(error, (Unauthorized, Forbidden)):
            exchange.set_cookie(ME, "", 0)
            self._note(exchange, "me.sign_in", "anonymous", "denied", reason=error.code)
            self._send_error(exchange, None, 403, error.message + ".", error.description)
        elif isinstance(error, Unavailable):
            exchange.fields += error.fields
            self._send_error(exchange, None, 503, "The proxy cannot answer now.", error.message)
        else:
            self._send_error(exchange, None, error.status, error.message)

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
        exchange.set_cookie(ME, self._signs_in.seal(ME, {"person": person.id, "until": until}), STAYS)
        self._note(exchange, "me.sign_in", person.actor, "success", person_id=person.id)
        # The code of the provider is in no address that stays.
        exchange.redirect(exchange.base + "/")

    def _redirect_uri(self, exchange: PageExchange, provider: str) -> str:
        place = self._signs_in.public_url().rstrip("/") or f"{exchange.scheme}://{exchange.host}"
        return f"{place}{exchange.base}{_CALLBACK}{provider}"

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
        return None if person.revoked_at is not None else person

    async def _show(self, exchange: PageExchange, person: Person) -> None:
        try:
            by_model, by_session = [await self._mine.report(person, group) for group in ("model", "session")]
        except Unavailable:
            by_model = by_session = {"totals": None, "data": []}
        limits = [to_builtins(each) for each in await self._mine.limits(person)]
        context = {
            "person": person,
            "called": person.name or person.email or person.subject,
            "usage": by_model["totals"],
            "by_model": by_model["data"],
            "by_session": by_session["data"],
            "limits": limits_of({"limits_left": limits}),
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

    def _note(self, exchange: PageExchange, action: str, actor: str, outcome: str, **details: object) -> None:
        if self._audit is not None:
            browser = exchange.browser
            self._audit.log(
                action,
                actor,
                outcome,
                client_ip=browser.client,
                user_agent=browser.agent,
                http_method=exchange.method,
                endpoint=exchange.base + exchange.path,
                **details,
            )


class _NoBackend:
    """Nobody signs in at the admin pages here."""
