"""Back-channel logout: a provider says that a session of somebody is over (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.people.assertions import AssertionFault, check_logout_token
from ..errors import BadRequest, NotFound

if TYPE_CHECKING:
    from ..interfaces.people import IPeopleStore
    from .provider import Provider


class BackChannelLogout:
    """
    @param provider: gives a provider by its name; C{None} where there is none.
    """

    def __init__(
        self, provider: Callable[[str], Provider | None], people: IPeopleStore, seconds: Callable[[], float]
    ) -> None:
        self._provider = provider
        self._people = people
        self._seconds = seconds

    async def end(self, name: str, logout_token: str) -> int:
        """
        End the sessions that a logout token is of; how many there were.

        @raise NotFound: there is no such provider.
        @raise BadRequest: it is no logout token of that provider for us.
        @raise ProviderUnavailable: its keys are not known.
        """
        provider = self._provider(name)
        if provider is None:
            raise NotFound("there is no such identity provider")
        config = provider.config
        try:
            _, claims = await provider.verified(logout_token)
            subject, session = check_logout_token(
                claims,
                issuer=config.issuer,
                client_id=config.client_id,
                now=self._seconds(),
                skew=config.clock_skew,
            )
            if config.claims.person != "sub":
                # Who they are here, another claim says.
                subject = "" if session else provider.asserted(claims).subject
        except AssertionFault as error:
            raise BadRequest(str(error)) from None
        return await self._people.end_sessions(config.issuer, subject, session)
