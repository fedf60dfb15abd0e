"""Pages of the device flow: a person types a code, signs in at their provider, and lets a program in or does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..core.cookies import ATTEMPT, DECIDER, DEVICE, own
from ..core.devicecodes import typed
from ..core.deviceflow import Grant
from ..core.failures import Failures
from .answers import Page
from .personpages import CALLBACK, SECONDS, SIGN_IN, PersonPages, SignInRefused, SignsIn
from .site import DISPLAY

if TYPE_CHECKING:
    from ..core.forwarded import TrustedProxies
    from ..interfaces import IAuditLogger
    from ..management.devices import DeviceRules
    from .exchange import PageExchange

PURPOSE = "device"
"""What a sign-in at a provider is for: one for another purpose decides nothing here."""

_DECIDE = "/decide"


class DevicePages(PersonPages):
    """
    The same templates, static files and protection as the admin pages, and nobody who is signed in: who has come back
    from the provider decides about one program, and nothing else follows from it.

    @param devices: the rules.
    @param failures: of addresses that type codes which are none.
    """

    area = "device"

    def __init__(
        self,
        devices: DeviceRules,
        signs_in: SignsIn,
        seconds: Callable[[], float],
        trusted: TrustedProxies | None,
        audit: IAuditLogger | None,
        failures: Failures,
    ) -> None:
        super().__init__(signs_in, seconds, trusted, audit)
        self._devices = devices
        self._failures = failures

    async def _answer(self, exchange: PageExchange) -> None:
        if exchange.path == "":
            # With the code that the address has.
            exchange.redirect(f"{exchange.base}/{exchange.target}")
        else:
            await super()._answer(exchange)

    async def _find(self, exchange: PageExchange) -> None:
        path = exchange.path
        if path == DISPLAY and exchange.method == "POST":
            self._set_display(exchange)
        elif path == "/":
            await self._code(exchange)
        elif path.startswith(SIGN_IN) and exchange.method != "POST":
            await self._to_provider(exchange, path.removeprefix(SIGN_IN))
        elif path.startswith(CALLBACK) and exchange.method != "POST":
            await self._back(exchange, path.removeprefix(CALLBACK))
        elif path == _DECIDE:
            await self._decide(exchange)
        else:
            self._send_error(exchange, None, 404, "There is no such page.")

    # -- a code is typed

    async def _code(self, exchange: PageExchange) -> None:
        if exchange.method != "POST":
            # A code that came in the address is shown, and not sent by itself: who was only given a link has to look.
            self._send_form(exchange, typed(exchange.query.get("user_code", "")))
            return
        client, now = exchange.browser.client, self._now()
        code = exchange.form.text("user_code")
        wait = self._failures.wait(client, now)
        if wait > 0:
            exchange.fields.append((b"Retry-After", b"%d" % max(1, wait)))
            self._send_form(exchange, code, "Too many codes that are none. Try again in a minute.", 429)
            return
        grant = await self._devices.waiting(code)
        if grant is None:
            self._failures.failed(client, now)
            words = "No program waits with this code. Codes are good for a few minutes, and once: look at it again."
            self._send_form(exchange, code, words, 400)
            return
        self._keep(exchange, DEVICE, {"grant": grant.id, "code": typed(code)})
        providers = [{"name": name, "label": label} for name, label in self._signs_in.providers()]
        self._send_page(exchange, None, Page("device-sign-in.html", {"grant": grant, "providers": providers}))

    def _send_form(self, exchange: PageExchange, code: str, error: str = "", status: int = 200) -> None:
        self._send_page(exchange, None, Page("device-code.html", {"code": code[:40], "error": error}, status))

    # -- a person signs in

    async def _to_provider(self, exchange: PageExchange, provider: str) -> None:
        kept = self._kept(exchange, DEVICE)
        begun = await self._signs_in.begin(provider, self._redirect_uri(exchange, provider), kept["code"])
        exchange.set_cookie(ATTEMPT, begun.cookie, SECONDS)
        exchange.redirect(begun.url)

    async def _back(self, exchange: PageExchange, provider: str) -> None:
        cookie = own(exchange.cookies, ATTEMPT, exchange.secure)
        exchange.set_cookie(ATTEMPT, "", 0)
        parameters = {name: exchange.query[name] for name in exchange.query}
        returned = await self._signs_in.finish(provider, self._redirect_uri(exchange, provider), parameters, cookie)
        person = await self._signs_in.person(returned.asserted)
        grant = await self._waiting(returned.next)
        await self._devices.remember(grant, person, self._signs_in.provider_token(returned, person))
        kept = {"grant": grant.id, "code": returned.next, "person": person.id, "at": person.last_seen_at}
        self._keep(exchange, DECIDER, kept)
        exchange.set_cookie(DEVICE, "", 0)
        # The code of the provider is in no address that stays.
        exchange.redirect(exchange.base + _DECIDE)

    # -- and decides

    async def _decide(self, exchange: PageExchange) -> None:
        kept = self._kept(exchange, DECIDER)
        person, grant = await self._signs_in.known(kept["person"]), await self._waiting(kept["code"])
        if grant.id != kept["grant"] or not person.is_signed_in(kept["at"]):
            raise SignInRefused(GONE)
        if exchange.method != "POST":
            context = {"grant": grant, "person": person, "code": kept["code"]}
            self._send_page(exchange, None, Page("device-consent.html", context))
            return
        answer = exchange.form.text("answer")
        if answer not in ("allow", "deny"):
            raise SignInRefused("The form was not accepted: begin again.")
        is_allowed = answer == "allow"
        is_decided = await self._devices.decide(grant, person, is_allowed)
        # Where nobody could be asked, it is asked again.
        exchange.set_cookie(DECIDER, "", 0)
        if not is_decided:
            raise SignInRefused(GONE)
        self._note(
            exchange,
            "device.allow" if is_allowed else "device.deny",
            person.actor,
            "success",
            person_id=person.id,
            program=grant.program,
            device=grant.device,
            asked_from=grant.address,
        )
        self._send_page(exchange, None, Page("device-done.html", {"grant": grant, "allowed": is_allowed}))

    async def _waiting(self, code: str) -> Grant:
        grant = await self._devices.waiting(code)
        if grant is None:
            raise SignInRefused(GONE)
        return grant

    # -- what a browser keeps

    def _keep(self, exchange: PageExchange, name: str, values: dict[str, Any]) -> None:
        sealed = self._signs_in.seal(name, {**values, "until": self._now() + SECONDS})
        exchange.set_cookie(name, sealed, SECONDS)

    def _kept(self, exchange: PageExchange, name: str) -> dict[str, Any]:
        """
        @raise SignInRefused: there is nothing, or it is too old.
        """
        values = self._signs_in.open(name, own(exchange.cookies, name, exchange.secure))
        if not isinstance(values, dict) or values.pop("until", 0) <= self._now():
            raise SignInRefused("This took too long, or cookies are not kept: enter the code again.")
        return values


GONE = "The program waits no longer: its code has expired, or was used. Start again there."
