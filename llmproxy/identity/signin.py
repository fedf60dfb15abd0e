"""Sign-in of a browser at an identity provider: out by the authorization endpoint, back with a code."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ..core.people.assertions import AssertionFault, check_id_token
from ..core.people.codeflow import (
    Attempt,
    SignInFailed,
    authorization_url,
    begun,
    code_of,
    logout_url,
    token_request,
)
from .given import Given, completed

if TYPE_CHECKING:
    from ..core.people.person import Asserted
    from .provider import Provider
    from .sealed import Sealed

_ATTEMPT = "attempt"

_LONGEST_ID_TOKEN = 6000


@frozen
class Begun:
    """
    @ivar url: where the browser goes.
    @ivar cookie: what it keeps until it comes back; of C{SIGN_IN_SECONDS}.
    """

    url: str
    cookie: str = field(repr=False)


@frozen
class SignedIn:
    """
    Who has come back, and all that is known of the sign-in; all of it verified.

    @ivar session: what the provider calls its session; C{""} where it does not say.
    @ivar id_token: for signing out there; C{""} where it is too long to be kept.
    @ivar refresh_token: the provider can be asked with it again; C{""} where it gave none.
    """

    asserted: Asserted
    next: str = ""
    session: str = ""
    id_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)


class BrowserSignIn:
    """
    Nothing is kept here between the two: any process can go on with what another one has begun.

    @param provider: gives a provider by its name; C{None} where there is none.
    """

    def __init__(
        self,
        provider: Callable[[str], Provider | None],
        sealed: Sealed,
        seconds: Callable[[], float],
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._provider = provider
        self._sealed = sealed
        self._seconds = seconds
        self._random = random

    async def begin(
        self,
        provider: str,
        redirect_uri: str,
        next: str = "",
        purpose: str = "",
    ) -> Begun:
        """
        @param redirect_uri: where the browser comes back; the provider knows it.
        @param next: what L{finish} gives back; the caller checks that it is a place of ours.
        @param purpose: L{finish} wants the same.
        @raise SignInFailed: there is no such provider.
        @raise ProviderUnavailable: it cannot be asked.
        """
        found = self._named(provider)
        metadata = await found.metadata()
        attempt = begun(
            self._random,
            self._seconds(),
            provider=provider,
            redirect_uri=redirect_uri,
            next=next,
            purpose=purpose,
        )
        config = found.config
        endpoint = metadata.authorization_endpoint
        url = authorization_url(endpoint, config.client_id, config.scopes, attempt, config.parameters)
        return Begun(url, self._sealed.seal(_ATTEMPT, attempt.values()))

    async def finish(
        self, provider: str, redirect_uri: str, parameters: Mapping[str, str], cookie: str, purpose: str = ""
    ) -> SignedIn:
        """
        @param parameters: with which the browser came back.
        @param cookie: that of L{Begun}; the caller takes it away from the browser.
        @raise SignInFailed: it is no answer to what this browser has begun, or the provider refused.
        @raise ProviderUnavailable: it cannot be asked.
        """
        found = self._named(provider)
        attempt = Attempt.of(self._sealed.open(_ATTEMPT, cookie))
        metadata = await found.metadata()
        code = code_of(
            attempt,
            parameters,
            provider=provider,
            redirect_uri=redirect_uri,
            purpose=purpose,
            issuer=found.config.issuer,
            names_issuer=metadata.names_issuer,
            now=self._seconds(),
        )
        assert attempt is not None, "it has a code"
        try:
            given = await self._exchanged(found, attempt, code)
            id_token = given.id_token
            claims = await self._claims(found, attempt, given)
            asserted = found.asserted(claims)
        except AssertionFault as error:
            raise SignInFailed(f"The identity provider's answer cannot be used: {error}.") from None
        session = claims.get("sid")
        return SignedIn(
            asserted,
            attempt.next,
            session if isinstance(session, str) and len(session) <= 64 else "",
            id_token if len(id_token) <= _LONGEST_ID_TOKEN else "",
            given.refresh_token,
        )

    async def logout_url(self, provider: str, id_token: str, back: str) -> str:
        """Where a browser signs out of the provider too; C{""} where that is not known."""
        found = self._provider(provider)
        if found is None:
            return ""
        metadata = await found.metadata()
        if not metadata.end_session_endpoint:
            return ""
        return logout_url(metadata.end_session_endpoint, found.config.client_id, id_token, back)

    def _named(self, provider: str) -> Provider:
        found = self._provider(provider)
        if found is None:
            raise SignInFailed("There is no such identity provider here.", again=False)
        return found

    async def _exchanged(self, provider: Provider, attempt: Attempt, code: str) -> Given:
        metadata, config = await provider.metadata(), provider.config
        form, fields = token_request(attempt, code, config.client_id, config.client_secret, metadata.token_methods)
        status, answer = await provider.fetcher.form(metadata.token_endpoint, form, fields)
        if status != 200 or not isinstance(answer, dict):
            error = answer.get("error") if isinstance(answer, dict) else None
            if error == "invalid_client":
                raise SignInFailed(
                    "The identity provider does not accept this proxy: check client_id and client_secret.", again=False
                )
            raise SignInFailed("The identity provider did not accept the code: it was used, or is too old.")
        given = Given.of(answer)
        if not given.id_token:
            raise AssertionFault("it has no ID token")
        return given

    async def _claims(self, provider: Provider, attempt: Attempt, given: Given) -> dict[str, Any]:
        config = provider.config
        _, claims = await provider.verified(given.id_token)
        check_id_token(
            claims,
            issuer=config.issuer,
            client_id=config.client_id,
            nonce=attempt.nonce,
            now=self._seconds(),
            skew=config.clock_skew,
        )
        return await completed(provider, claims, given.access_token)
