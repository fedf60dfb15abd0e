"""Questions to a provider about somebody whose device is let in, asked with the refresh token that it gave us."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout

from ..core.deviceflow import Standing, standing
from ..core.people.assertions import AssertionFault, check_refreshed_id_token
from ..core.people.codeflow import refresh_request
from ..core.people.person import Person
from ..identityerrors import NotGranted, PersonRevoked, ProviderUnavailable, SignInOver
from .given import Given, completed

if TYPE_CHECKING:
    from ..core.deviceflow import Device
    from ..management.people import PeopleRules
    from .provider import Provider
    from .sealed import Sealed

WITHIN = 5.0
"""
Seconds for all that is asked of a provider: a program that waits for its next tokens gives up after ten, and has lost
them if it is answered later.
"""

_KIND = "provider token"

_LONGEST = 5000
"""Characters of a refresh token that is kept; those of known providers have up to 2500."""

OVER = frozenset({"invalid_grant", "access_denied", "login_required", "interaction_required", "consent_required"})
"""Errors by which it says that a sign-in is over: RFC 6749 section 5.2, OpenID Connect Core section 3.1.2.6."""


class AskingAgain:
    """
    @param clock: its C{seconds} are since the epoch.
    @param provider: gives a provider by its name; C{None} where there is none.
    @param sealed: what is kept is sealed with.
    @param failed: called with the name of a provider that says nothing, and why.
    """

    def __init__(
        self,
        clock: Any,
        provider: Callable[[str], Provider | None],
        sealed: Sealed,
        people: PeopleRules,
        failed: Callable[[str, str], object] = lambda name, why: None,
    ) -> None:
        self._provider = provider
        self._failed = failed
        self._sealed = sealed
        self._people = people
        self._clock = clock
        self._seconds: Callable[[], float] = clock.seconds

    def kept(self, person: Person, refresh_token: str) -> str | None:
        """What is stored to ask again about somebody who has just signed in; C{None} if nothing is."""
        provider = self._provider(person.provider)
        if provider is None or not provider.config.check_every or not 0 < len(refresh_token) <= _LONGEST:
            return None
        return self._sealed.seal(_KIND, [person.id, person.provider, refresh_token])

    def standing(self, device: Device, person: Person) -> Standing:
        """
        Whether it is time to ask. A device of which nothing is kept is known until it has to sign in again; one whose
        provider is not configured any more has nobody who stands for its person.
        """
        provider = self._provider(person.provider)
        if provider is None:
            return "overdue"
        if device.provider_token is None or not provider.config.check_every:
            return "known"
        config = provider.config
        return standing(device, config.check_every, config.check_grace, self._seconds())

    async def ask(self, device: Device, person: Person) -> str | None:
        """
        Ask, and take what the provider says of the person now.

        @return: what is to be stored from now on, in the place of what was.
        @raise SignInOver: it does not stand for them any more, or nothing here is for them.
        @raise ProviderUnavailable: it says neither.
        """
        opened = self._sealed.open(_KIND, device.provider_token or "")
        provider = self._provider(person.provider)
        if not isinstance(opened, list) or opened[:2] != [person.id, person.provider] or provider is None:
            # The secret that it was sealed with is another one now, or it is of somebody else.
            raise SignInOver("what is kept of the sign-in cannot be read")
        asking = Deferred.fromCoroutine(self._ask(provider, person, opened[2]))
        asking.addTimeout(WITHIN, self._clock)
        try:
            given = await asking
        except DeferredTimeout:
            why = f"did not answer within {WITHIN:.0f} s, when it was asked about a device"
            self._failed(provider.config.name, why)
            raise ProviderUnavailable(why) from None
        except ProviderUnavailable as error:
            self._failed(provider.config.name, str(error))
            raise
        except AssertionFault as error:
            raise SignInOver(f"the identity provider's answer cannot be used: {error}") from None
        except (NotGranted, PersonRevoked) as error:
            raise SignInOver(error.message) from None
        return self.kept(person, given.refresh_token or opened[2])

    async def _ask(self, provider: Provider, person: Person, refresh_token: str) -> Given:
        given = await self._refreshed(provider, refresh_token)
        await self._take(provider, person, given)
        return given

    async def _refreshed(self, provider: Provider, refresh_token: str) -> Given:
        metadata, config = await provider.metadata(), provider.config
        form, fields = refresh_request(refresh_token, config.client_id, config.client_secret, metadata.token_methods)
        status, answer = await provider.fetcher.form(metadata.token_endpoint, form, fields)
        said: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
        if status == 200 and said:
            return Given.of(said)
        error = said.get("error")
        if status in (400, 401, 403) and isinstance(error, str) and error in OVER:
            raise SignInOver("the identity provider has ended the sign-in")
        # A client that it does not know (any more) says nothing of a person.
        code = error if isinstance(error, str) and error.isascii() and error.isprintable() else "no error of OAuth"
        raise ProviderUnavailable(f"{metadata.token_endpoint[:200]} answered {status} to a refresh ({code[:60]})")

    async def _take(self, provider: Provider, person: Person, given: Given) -> None:
        """
        What it says of the person holds from now on: rules decide anew.

        @raise AssertionFault: it is not for us, or of somebody else.
        """
        if not given.id_token:
            # RFC 6749 alone: it has only said that the sign-in is good.
            return
        _, claims = await provider.verified(given.id_token)
        config = provider.config
        check_refreshed_id_token(
            claims,
            issuer=config.issuer,
            client_id=config.client_id,
            now=self._seconds(),
            skew=config.clock_skew,
        )
        who = provider.asserted(await completed(provider, claims, given.access_token))
        if who.subject_key != person.subject_key:
            raise AssertionFault("it is of another person")
        await self._people.sign_in(who)
