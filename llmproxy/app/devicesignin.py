"""The device flow, put together: its endpoints, its pages, and the people behind tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, succeed

from ..admin.devicepages import PURPOSE, DevicePages
from ..admin.personpages import Returned, SignInRefused
from ..config.agents import SignInConfig
from ..core import agentpaths
from ..core.failures import Failures
from ..core.people.codeflow import SignInFailed
from ..errors import NotFound, ProxyError
from ..management.devices import DeviceRules
from ..store.devices import DeviceStore
from ..web.agents.access import NOBODY, Caller
from ..web.agents.oauth import DeviceAuthorization, Metadata, OAuthResource, Revocation, TokenEndpoint

if TYPE_CHECKING:
    from ..core.people.person import Asserted, Person
    from ..identity.signin import Begun, SignedIn
    from ..management.people import PeopleRules
    from ..message import Principal
    from .foundation import Foundation
    from .generations import Generations
    from .identity import Identity
    from .shutdown import Shutdown

_KINDS: Mapping[str, type[OAuthResource]] = {
    agentpaths.METADATA: Metadata,
    agentpaths.AUTHORIZATION: DeviceAuthorization,
    agentpaths.TOKEN: TokenEndpoint,
    agentpaths.REVOCATION: Revocation,
}


class ServesPeople(Protocol):
    """What is needed of a proxy, as in L{llmproxy.app.tree}."""

    foundation: Foundation
    generations: Generations


class Proxy(ServesPeople, Protocol):
    """Likewise, for what answers programs."""

    ending: Shutdown

    @property
    def draining(self) -> bool: ...


class DeviceSignIn:
    """
    @ivar devices: the rules.
    @ivar pages: where people let programs in.
    """

    def __init__(self, proxy: Proxy, identity: Identity) -> None:
        foundation = proxy.foundation
        reactor = foundation.reactor
        self._proxy = proxy
        self._trusted = foundation.settings.apis.trusted()
        self._seconds = reactor.seconds
        self.devices = device_rules(proxy, identity)
        self._signs_in = ProviderSignIn(identity)
        self._made: dict[tuple[str, str], OAuthResource] = {}
        # What has 256 bits nobody guesses: these only bound what one address can have done. A code to type has 34.
        self._failures = {
            agentpaths.AUTHORIZATION: Failures(burst=30, forgiven_after=2.0),
            agentpaths.TOKEN: Failures(burst=100, forgiven_after=0.5),
            agentpaths.REVOCATION: Failures(burst=30, forgiven_after=2.0),
            agentpaths.METADATA: Failures(),
        }
        self.pages = DevicePages(
            self.devices, self._signs_in, reactor.seconds, self._trusted, foundation.audit_log, Failures()
        )

    def endpoint(self, kind: str, base: str) -> OAuthResource:
        """
        One of L{llmproxy.core.agentpaths.SIGN_IN_PATHS}.

        @param base: the path of the base URL that it is below.
        """
        found = self._made.get((kind, base))
        if found is None:
            found = self._made[kind, base] = self._make(kind, base)
            # Who has shown a refresh token gets the next one.
            self._proxy.ending.wait_for(found)
        return found

    def _make(self, kind: str, base: str) -> OAuthResource:
        made = _KINDS[kind](
            self.devices,
            self._seconds,
            self._trusted,
            self._signs_in.public_url,
            self._proxy.foundation.audit_log,
            self._failures[kind],
            lambda: self._proxy.draining,
        )
        if isinstance(made, Metadata):
            made.base = base
        return made


def device_rules(proxy: ServesPeople, identity: Identity) -> DeviceRules:
    """The rules of devices, by what is configured now."""
    stored = proxy.foundation.stored
    assert stored is not None, "identity asks for a database"

    def lifetimes() -> SignInConfig:
        agents = proxy.generations.current.config.agents
        return (None if agents is None else agents.sign_in) or SignInConfig()

    store = DeviceStore(proxy.foundation.reactor, stored.database)
    return DeviceRules(identity.people, store, lifetimes, providers=identity.asking, count=identity.refreshed)


class ProviderSignIn:
    """
    Signing in at the identity providers, as L{llmproxy.admin.personpages.SignsIn} wants it.

    @param purpose: a sign-in for another one is none.
    """

    def __init__(self, identity: Identity, purpose: str = PURPOSE) -> None:
        self._identity = identity
        self._purpose = purpose

    def providers(self) -> list[tuple[str, str]]:
        return [(each.name, each.label or each.name) for each in self._identity.config.providers]

    def public_url(self) -> str:
        return self._identity.config.public_url

    async def begin(self, provider: str, redirect_uri: str, next: str) -> Begun:
        try:
            return await self._identity.signin.begin(provider, redirect_uri, next, self._purpose)
        except SignInFailed as error:
            raise SignInRefused(str(error)) from None

    async def finish(self, provider: str, redirect_uri: str, parameters: Mapping[str, str], cookie: str) -> SignedIn:
        try:
            return await self._identity.signin.finish(provider, redirect_uri, parameters, cookie, self._purpose)
        except ProxyError as error:
            self._identity.came_back(provider, error)
            raise
        except SignInFailed as error:
            self._identity.came_back(provider, error)
            raise SignInRefused(str(error)) from None

    async def person(self, asserted: Asserted) -> Person:
        try:
            person = await self._identity.people.sign_in(asserted)
        except ProxyError as error:
            self._identity.came_back(asserted.provider, error)
            raise
        self._identity.came_back(asserted.provider)
        return person

    def provider_token(self, returned: Returned, person: Person) -> str | None:
        return self._identity.asking.kept(person, returned.refresh_token)

    async def known(self, person_id: str) -> Person:
        return await self._identity.people.get(person_id)

    def seal(self, kind: str, value: Any) -> str:
        return self._identity.sealed.seal(kind, value)

    def open(self, kind: str, text: str) -> Any:
        return self._identity.sealed.open(kind, text)


class PeopleBehind:
    """The people behind tokens, as they are known now."""

    def __init__(self, people: PeopleRules) -> None:
        self._people = people

    def caller_of(self, principal: Principal) -> Deferred[Caller]:
        person_id = principal.token.person_id
        if not person_id:
            return succeed(NOBODY)
        return Deferred.fromCoroutine(self._caller(person_id))

    async def _caller(self, person_id: str) -> Caller:
        try:
            person = await self._people.get(person_id)
        except NotFound:
            return NOBODY
        return Caller(person.id, person.email, person.groups)
