"""Access tokens of identity providers: who shows one, and the token of ours that stands behind it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from ..core.people.assertions import AssertionFault, check_access_token, expires_at, issued_at
from ..identityerrors import ProviderUnavailable, TokenRefused
from .signatures import parts_of

if TYPE_CHECKING:
    from ..core.people.person import Person
    from ..management.people import PeopleRules
    from ..message import Token
    from .provider import Provider

MOST_KNOWN = 10_000


@frozen
class _Known:
    """@ivar until: when the access token is over, the skew of clocks included."""

    token_id: str
    until: float


class AccessTokens:
    """
    Each is verified once, and is known by its hash until it expires. What is known opens nothing by itself: the token
    behind it is asked for each time, and the directory keeps that warm.

    @param providers: those that there are now.
    @param count: called with the name of a provider, and what became of an access token of it.
    """

    def __init__(
        self,
        providers: Callable[[], Iterable[Provider]],
        people: PeopleRules,
        seconds: Callable[[], float],
        count: Callable[[str, str], object] = lambda provider, outcome: None,
    ) -> None:
        self._count = count
        self._providers = providers
        self._people = people
        self._seconds = seconds
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self.verified = 0

    async def token(self, secret: bytes) -> Token:
        """
        The token of ours behind an access token, as it is for who shows that.

        @raise TokenRefused: it is not one that is taken here.
        @raise PersonRevoked: its owner is shut out. L{NotGranted}: there is nothing here for them.
        @raise ProviderUnavailable: keys that are needed cannot be had.
        """
        digest, now = sha256(secret).digest(), self._seconds()
        known = self._known.get(digest)
        if known is not None and now < known.until:
            found = await self._people.token(known.token_id)
            if found is not None:
                return _held(found, digest, known.until)
        person, said_at, until = await self._person(secret)
        token = await self._people.jwt_token(person, said_at)
        self._known[digest] = _Known(token.id, until)
        self._known.move_to_end(digest)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)
        return _held(token, digest, until)

    async def person(self, secret: bytes) -> tuple[Person, float]:
        """
        Who an access token is of, with what the rules give them now, and until when it is good.

        @raise TokenRefused: and others, as L{token}.
        """
        person, _, until = await self._person(secret)
        return person, until

    def forget(self) -> None:
        """Verify each again: providers or rules are others now."""
        self._known.clear()

    async def _person(self, secret: bytes) -> tuple[Person, float | None, float]:
        """Who, since when, until when."""
        name = ""
        try:
            text = secret.decode("ascii")
            _, said = parts_of(text)
            provider = self._of(said.get("iss"))
            name = provider.config.name
            header, claims = await provider.verified(text)
            self.verified += 1
            config = provider.config
            check_access_token(
                header,
                claims,
                issuer=config.issuer,
                audiences=config.audiences,
                clients=config.clients,
                now=self._seconds(),
                skew=config.clock_skew,
            )
            who = provider.asserted(claims)
            said_at = issued_at(claims)
        except ProviderUnavailable:
            self._count(name, "unavailable")
            raise
        except (AssertionFault, UnicodeDecodeError) as error:
            words = str(error) if isinstance(error, AssertionFault) else "it is no signed JWT"
            self._count(name, "refused")
            raise TokenRefused(words) from None
        self._count(name, "ok")
        person = await self._people.sign_in(who, said_at)
        return person, said_at, expires_at(claims) + config.clock_skew

    def _of(self, issuer: object) -> Provider:
        for provider in self._providers():
            if provider.config.issuer == issuer and provider.config.audiences:
                return provider
        raise AssertionFault("it is of no identity provider whose access tokens are taken here")


def _held(token: Token, digest: bytes, until: float) -> Token:
    return evolve(token, token_hash=digest.hex(), expires_at=until)
