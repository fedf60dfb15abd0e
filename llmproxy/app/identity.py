"""People and identity providers, put together: what the configuration that is served now says of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from ..apisettings import ConnectionSettings
from ..core.people.grants import Grant, grant_of
from ..identity.accesstokens import AccessTokens
from ..identity.asking import AskingAgain
from ..identity.backchannel import BackChannelLogout
from ..identity.fetching import Fetcher
from ..identity.provider import Provider
from ..identity.sealed import Sealed
from ..identity.signin import BrowserSignIn
from ..management.people import PeopleRules
from ..net.ratelimitedlog import RateLimitedLog
from ..store.people import PeopleStore
from .identitycounts import REFRESH, TOKEN, IdentityCounts
from .sinks import LazyAgent

if TYPE_CHECKING:
    from ..config.identity import IdentityConfig
    from ..core.people.person import Asserted
    from ..management.state import State
    from ..store.database import Database
    from ..store.directory import Directory
    from ..upstream.client import PooledClient
    from .settings import Settings


MOST_CONNECTIONS = 20
"""To one provider, at once."""


class Identity:
    """
    @param secret: what browsers keep for us is sealed with.
    @param make_agent: makes the client that providers are asked with.
    @ivar store: people, as they are stored.
    @ivar people: the rules of people.
    @ivar signin: browsers that sign in.
    @ivar access_tokens: of the providers, taken in the place of tokens.
    @ivar asking: asks providers again about people whose devices are let in.
    @ivar counts: for C{/metrics}.
    @ivar complaints: where faults of providers are said, by their names.
    @ivar sealed: what browsers and sessions keep for us.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        config: IdentityConfig,
        state: State,
        database: Database,
        directory: Directory,
        secret: bytes,
        make_agent: Callable[[ConnectionSettings], PooledClient],
    ) -> None:
        self._reactor = reactor
        self.complaints = RateLimitedLog(reactor, self._log, "identity provider")
        self._make_agent = make_agent
        self._agents: dict[str | None, LazyAgent] = {}
        self._providers: dict[str, Provider] = {}
        self.config = config
        self._rules = config.grant_rules()
        self.counts = counts = IdentityCounts()
        self.store = PeopleStore(reactor, database)
        self.people = PeopleRules(state, self.store, self._grant)
        self.sealed = Sealed(secret)
        self.signin = BrowserSignIn(self.provider, self.sealed, reactor.seconds)
        self.access_tokens = AccessTokens(self.providers, self.people, reactor.seconds, partial(counts.count, TOKEN))
        self.asking = AskingAgain(reactor, self.provider, self.sealed, self.people, self.complaints.say)
        self.backchannel = BackChannelLogout(self.provider, self.store, reactor.seconds)
        self._directory = directory
        self._directory.foreign = self.access_tokens.token

    def take(self, config: IdentityConfig) -> None:
        """Use what a reload has brought: who shows an access token is looked at anew."""
        if config == self.config:
            return
        self.config, self._rules = config, config.grant_rules()
        kept = {each.name: each for each in config.providers}
        self._providers = {
            name: provider for name, provider in self._providers.items() if kept.get(name) == provider.config
        }
        self.access_tokens.forget()
        self._directory.forget()

    def provider(self, name: str) -> Provider | None:
        """The one of this name; C{None} where there is none."""
        found = self._providers.get(name)
        if found is None:
            config = next((each for each in self.config.providers if each.name == name), None)
            if config is not None:
                fetcher = Fetcher(self._reactor, self._agent(config.ca_file), partial(self.counts.asked, name))
                found = self._providers[name] = Provider(
                    config, fetcher, self._reactor.seconds, lambda error: self.complaints.say(name, str(error))
                )
        return found

    def providers(self) -> Iterator[Provider]:
        """All of them, in the order of the configuration."""
        for each in self.config.providers:
            found = self.provider(each.name)
            if found is not None:
                yield found

    def came_back(self, provider: str, error: Exception | None = None) -> None:
        """A browser has come back from a provider: counted, where there is one of that name."""
        if self.provider(provider) is not None:
            self.counts.came_back(provider, error)

    def refreshed(self, outcome: str) -> None:
        """A device has asked for its next token."""
        self.counts.count(REFRESH, "", outcome)

    def close(self) -> Deferred[Any]:
        """Close connections to the providers."""
        closing = [each.close() for each in self._agents.values()]
        return DeferredList([each for each in closing if each is not None])

    def _grant(self, who: Asserted) -> Grant:
        return grant_of(self._rules, who)

    def _agent(self, ca_file: str | None) -> LazyAgent:
        found = self._agents.get(ca_file)
        if found is None:
            settings = ConnectionSettings(ca_file=ca_file, max_connections_per_host=MOST_CONNECTIONS)
            found = self._agents[ca_file] = LazyAgent(lambda: self._make_agent(settings))
        return found


def sealing_secret(settings: Settings, config: IdentityConfig) -> bytes:
    """What all processes and machines that serve the same have in common, and nobody else."""
    keys = [key.hex() for key in (settings.encryption_key,) if key is not None]
    shared = "\0".join(each for each in (settings.management_token, *keys, *config.secrets()) if each)
    # With nothing in common a sign-in goes on in the process that began it.
    return shared.encode() if shared else os.urandom(32)
