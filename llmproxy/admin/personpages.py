"""The base of pages for people who sign in by an identity provider and have no session at the admin pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import Forbidden, ProxyError, Unauthorized, Unavailable
from .site import AdminPages, kept_form

if TYPE_CHECKING:
    from ..core.forwarded import TrustedProxies
    from ..core.people.person import Asserted, Person
    from ..interfaces import IAuditLogger
    from .exchange import PageExchange

SIGN_IN, CALLBACK = "/sign-in/", "/callback/"
"""What the name of a provider follows."""

SECONDS = 600
"""How long somebody may take from one page to the next."""


class SignInRefused(Exception):
    """What became of a sign-in, for who tried."""

    def __init__(self, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.words = words
        self.status = status


class Begun(Protocol):
    @property
    def url(self) -> str: ...

    @property
    def cookie(self) -> str: ...


class Returned(Protocol):
    @property
    def asserted(self) -> Asserted: ...

    @property
    def next(self) -> str: ...

    @property
    def refresh_token(self) -> str: ...


class SignsIn(Protocol):
    """
    Signing in at identity providers, for these pages; see L{llmproxy.app.devicesignin}. What fails for who tries fails
    with L{SignInRefused}.
    """

    def providers(self) -> Sequence[tuple[str, str]]:
        """Names, and what people call them."""

    def public_url(self) -> str:
        """Where browsers reach us; C{""} for what requests say."""

    async def begin(self, provider: str, redirect_uri: str, next: str) -> Begun: ...

    async def finish(
        self, provider: str, redirect_uri: str, parameters: Mapping[str, str], cookie: str
    ) -> Returned: ...

    async def person(self, asserted: Asserted) -> Person: ...

    async def known(self, person_id: str) -> Person: ...

    def provider_token(self, returned: Returned, person: Person) -> str | None:
        """Sealed, what the provider can be asked with again about who has come back; C{None} if there is nothing."""

    def seal(self, kind: str, value: Any) -> str: ...

    def open(self, kind: str, text: str) -> Any: ...


class PersonPages(AdminPages):
    """
    The same templates, static files and protection as the admin pages.

    @cvar area: what the audit log calls what is done here: C{device}, say.
    """

    area = ""

    def __init__(
        self,
        signs_in: SignsIn,
        seconds: Callable[[], float],
        trusted: TrustedProxies | None,
        audit: IAuditLogger | None,
    ) -> None:
        super().__init__(_NoBackend(), seconds, trusted)  # type: ignore[arg-type]
        self._signs_in = signs_in
        self._audit = audit
        self._now = seconds

    async def _find(self, exchange: PageExchange) -> None:
        """
        Send the page.

        @raise SignInRefused: for who asks, in words for them. L{ProxyError}: likewise.
        """
        raise NotImplementedError

    async def _page(self, exchange: PageExchange) -> None:
        try:
            if exchange.method == "POST" and not self._is_trusted_form(exchange):
                raise SignInRefused("The form was not accepted: it is too old. Begin again.", 403)
            await self._find(exchange)
        except SignInRefused as refused:
            self._send_error(exchange, None, refused.status, refused.words)
        except ProxyError as error:
            self._failed_for(exchange, error)

    def _failed_for(self, exchange: PageExchange, error: ProxyError) -> None:
        if isinstance(error, (Unauthorized, Forbidden)):
            self._note(exchange, f"{self.area}.sign_in", "anonymous", "denied", reason=error.code)
            self._send_error(exchange, None, 403, error.message + ".", error.description)
        elif isinstance(error, Unavailable):
            exchange.fields += error.fields
            words = "The proxy cannot answer now."
            self._send_error(exchange, None, 503, words, error.message, kept_form(exchange))
        else:
            self._send_error(exchange, None, error.status, error.message)

    def _redirect_uri(self, exchange: PageExchange, provider: str) -> str:
        place = self._signs_in.public_url().rstrip("/") or f"{exchange.scheme}://{exchange.host}"
        return f"{place}{exchange.base}{CALLBACK}{provider}"

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
