"""Single sign-on at the admin pages: sessions of people whom an identity provider has named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..admin.signon import Elsewhere, ProviderName, SignOnSession
from ..core.people.codeflow import SignInFailed
from ..core.sessions import secret_hash
from ..errors import ProxyError
from ..identityerrors import NotGranted, ProviderUnavailable
from ..message import Admin

if TYPE_CHECKING:
    from ..admin.backend import Browser
    from ..core.people.person import Person
    from ..identity.signin import SignedIn
    from ..interfaces import IAuditLogger, ISessionStore
    from ..management.sessions import SessionRules
    from .identity import Identity

PURPOSE = "admin"
"""What a sign-in is for here: one that was begun for something else does not open the pages."""

_ID_TOKEN = "id_token"  # noqa: S105
"""What a session keeps sealed."""


class SignOn:
    """
    @param rules: those of sessions.
    @param sessions: as they are stored.
    """

    def __init__(
        self, identity: Identity, rules: SessionRules, sessions: ISessionStore, audit: IAuditLogger | None
    ) -> None:
        self._identity = identity
        self._rules = rules
        self._sessions = sessions
        self._audit = audit

    def providers(self) -> Sequence[ProviderName]:
        return [ProviderName(each.name, each.label or each.name) for each in self._identity.config.providers]

    def public_url(self) -> str:
        return self._identity.config.public_url

    async def begin(self, provider: str, redirect_uri: str, next: str) -> tuple[str, str]:
        begun = await self._identity.signin.begin(provider, redirect_uri, next, PURPOSE)
        return begun.url, begun.cookie

    async def finish(
        self, provider: str, redirect_uri: str, parameters: Mapping[str, str], cookie: str, browser: Browser
    ) -> SignOnSession:
        try:
            found = await self._identity.signin.finish(provider, redirect_uri, parameters, cookie, PURPOSE)
            person = await self._person(found)
        except (SignInFailed, ProxyError) as error:
            self._identity.came_back(provider, error)
            if isinstance(error, ProviderUnavailable):
                self._identity.complaints.say(provider, str(error))
            self._note("session.create", "anonymous", "denied", browser, provider=provider, error=str(error))
            raise
        self._identity.came_back(provider)
        admin = Admin(person.id, person.actor, "", "", person.role or "auditor", person.created_at)
        kept = self._identity.sealed.seal(_ID_TOKEN, [provider, found.id_token]) if found.id_token else None
        session, secret = await self._rules.begin(
            admin, False, browser.client, browser.agent, found.session or None, kept
        )
        details = {"provider": provider, "session_id": session.id, "person_id": person.id}
        self._note("session.create", person.actor, "success", browser, **details)
        return SignOnSession(secret, found.next)

    async def elsewhere(self, secret: str, back: str) -> Elsewhere | None:
        known = await self._sessions.by_hash(secret_hash(secret))
        sealed = None if known is None else known[0].id_token
        opened = None if sealed is None else self._identity.sealed.open(_ID_TOKEN, sealed)
        if not isinstance(opened, list):
            return None
        provider, id_token = opened
        url = await self._identity.signin.logout_url(provider, id_token, back)
        label = next((each.label for each in self.providers() if each.name == provider), provider)
        return Elsewhere(label, url) if url else None

    async def ended(self, provider: str, logout_token: str, browser: Browser) -> None:
        try:
            count = await self._identity.backchannel.end(provider, logout_token)
        except ProxyError as error:
            self._note("session.end_all", "anonymous", "denied", browser, provider=provider[:64], error=str(error))
            raise
        actor = f"{provider}:back-channel"
        self._note("session.end_all", actor, "success", browser, provider=provider, ended_count=count)

    async def _person(self, found: SignedIn) -> Person:
        person = await self._identity.people.sign_in(found.asserted)
        if person.role is None:
            raise NotGranted("no rule of identity gives you a role here")
        return person

    def _note(self, action: str, actor: str, outcome: str, browser: Browser, **details: object) -> None:
        if self._audit is not None:
            known = {"client_ip": browser.client, "user_agent": browser.agent[:512], "origin": "admin-ui"}
            self._audit.log(action, actor, outcome, **{name: text for name, text in known.items() if text}, **details)
