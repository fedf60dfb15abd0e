"""Pages of single sign-on: to an identity provider and back, and its word that a session is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from attrs import field, frozen

from ..core.cookies import SIGN_ON, own
from ..core.people.codeflow import SIGN_IN_SECONDS, SignInFailed
from ..errors import ProxyError
from ..identityerrors import NotGranted, PersonRevoked

if TYPE_CHECKING:
    from .backend import Browser
    from .exchange import PageExchange

BEGIN = "/sign-in/"
BACK = "/signed-in/"
BACK_CHANNEL = "/back-channel-logout/"
"""What the name of a provider follows; the last two the provider has to know."""

_JSON = b"application/json"


@frozen
class ProviderName:
    """@ivar label: what a button calls it."""

    name: str
    label: str


@frozen
class Elsewhere:
    """Where a browser is still signed in, and where it signs out of that."""

    label: str
    url: str = field(repr=False)


@frozen
class SignOnSession:
    """
    @ivar secret: of the session.
    @ivar next: where the browser was to go on; anything may stand there.
    """

    secret: str = field(repr=False)
    next: str


class SingleSignOn(Protocol):
    """What the pages stand on: L{llmproxy.app.signon.SignOn}."""

    def providers(self) -> Sequence[ProviderName]:
        """Those that there are now."""

    def public_url(self) -> str:
        """Where browsers reach us; C{""} where their request says it."""

    async def begin(self, provider: str, redirect_uri: str, next: str) -> tuple[str, str]:
        """
        The address of the provider, and what the browser keeps meanwhile.

        @raise SignInFailed: there is no such provider. L{ProviderUnavailable}: it cannot be asked.
        """

    async def finish(
        self, provider: str, redirect_uri: str, parameters: Mapping[str, str], cookie: str, browser: Browser
    ) -> SignOnSession:
        """
        A session of who has come back.

        @raise SignInFailed: it is no answer to what the browser has begun. L{NotGranted}, L{PersonRevoked}: they may
            not in. L{ProviderUnavailable}: it cannot be asked.
        """

    async def elsewhere(self, secret: str, back: str) -> Elsewhere | None:
        """Where who has this session is signed in besides; C{None} where that is not known."""

    async def ended(self, provider: str, logout_token: str, browser: Browser) -> None:
        """
        End what a logout token is of.

        @raise ProxyError: it is none.
        """


class SignOnFailed(Exception):
    """A sign-in that came to nothing: a status and words for who tried."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


class ProviderPages:
    """
    @param sign_on: what they stand on.
    """

    def __init__(self, sign_on: SingleSignOn) -> None:
        self._sign_on = sign_on

    def providers(self) -> Sequence[ProviderName]:
        """Those that people can sign in by."""
        return self._sign_on.providers()

    async def begin(self, exchange: PageExchange, wanted: str) -> None:
        """
        Send a browser to a provider.

        @param wanted: where it goes on then, a place of ours.
        @raise SignOnFailed: it cannot go there now.
        """
        name = exchange.path.removeprefix(BEGIN)
        try:
            url, cookie = await self._sign_on.begin(name, self._back(exchange, name), wanted)
        except (SignInFailed, ProxyError) as error:
            raise _failed(error) from None
        exchange.set_cookie(SIGN_ON, cookie, int(SIGN_IN_SECONDS))
        exchange.redirect(url)

    async def finish(self, exchange: PageExchange) -> SignOnSession:
        """
        Take a browser that comes back; what it has kept is good once.

        @raise SignOnFailed: it is not let in.
        """
        name = exchange.path.removeprefix(BACK)
        cookie = own(exchange.cookies, SIGN_ON, exchange.secure)
        exchange.set_cookie(SIGN_ON, "", 0)
        try:
            return await self._sign_on.finish(
                name, self._back(exchange, name), exchange.query, cookie, exchange.browser
            )
        except (SignInFailed, ProxyError) as error:
            raise _failed(error) from None

    async def elsewhere(self, exchange: PageExchange) -> Elsewhere | None:
        """Where a browser that signs out is signed in besides."""
        back = f"{self._here(exchange)}{exchange.base}/sign-in"
        try:
            return await self._sign_on.elsewhere(exchange.session, back)
        except ProxyError:
            # Who wants to be signed out is signed out here in any case.
            return None

    async def ended(self, exchange: PageExchange) -> None:
        """Back-channel logout: 200 for what was done, 400 for what is no logout token."""
        name = exchange.path.removeprefix(BACK_CHANNEL)
        try:
            await self._sign_on.ended(name, exchange.form.text("logout_token"), exchange.browser)
        except ProxyError as error:
            exchange.send(error.status, _JSON, b'{"error":"invalid_request"}')
            return
        exchange.send(200, _JSON, b"{}")

    def _back(self, exchange: PageExchange, name: str) -> str:
        return f"{self._here(exchange)}{exchange.base}{BACK}{name}"

    def _here(self, exchange: PageExchange) -> str:
        return self._sign_on.public_url().rstrip("/") or f"{exchange.scheme}://{exchange.host}"


def _failed(error: SignInFailed | ProxyError) -> SignOnFailed:
    if isinstance(error, SignInFailed):
        return SignOnFailed(400, str(error))
    if isinstance(error, PersonRevoked):
        return SignOnFailed(403, "Your access was revoked. Ask those who run this proxy.")
    if isinstance(error, NotGranted):
        return SignOnFailed(403, f"You are signed in, but may not use these pages: {error.description}.")
    if error.status == 503:
        return SignOnFailed(503, "The identity provider does not answer now. Try again, or use a token.")
    return SignOnFailed(error.status, error.message)
