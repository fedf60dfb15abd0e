"""Interface of the store of devices: programs that wait for a person, and those that one has let in."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from zope.interface import Interface

from ..core.deviceflow import Answer, Device, Grant
from ..message import Token


class IDeviceStore(Interface):
    """Grants and devices at rest. Every method returns a Deferred."""

    def add_grant(grant: Grant, most: int) -> Deferred[bool]:
        """
        Store a grant, and forget those that ended long ago; C{False}, and nothing is stored, if C{most} are waiting, or
        if another one that waits has its user code.
        """

    def by_user_code(user_code_hash: str) -> Deferred[Grant | None]:
        """The one that a person types the code of."""

    def remember(grant_id: str, person_id: str, provider_token: str) -> Deferred[None]:
        """
        Keep, of one that waits, what the provider of who is about to decide can be asked with again; sealed. It goes
        with the person.
        """

    def claim(device: Device, until: float) -> Deferred[bool]:
        """
        Have the provider of a device's person to oneself for a while; C{False} if somebody else has, or has had since
        C{device} was read, or it has ended.
        """

    def unclaim(device_id: str) -> Deferred[None]:
        """The provider has said nothing: who comes next may ask."""

    def checked(device_id: str, provider_token: str | None, at: float) -> Deferred[None]:
        """
        The provider has said that the person is still who they were, and is asked with this the next time, by anybody.
        """

    def stale(device_id: str, at: float) -> Deferred[None]:
        """A refresh token of it was shown that had been used before, from where it was refreshed last."""

    def decide(grant_id: str, person_id: str, approved: bool) -> Deferred[bool]:
        """
        What a person has decided; C{False} if it is decided already, has expired, or the person is revoked or gone.
        """

    def asked(grant_id: str) -> Deferred[tuple[Answer, Grant] | None]:
        """Its program asks for its token: see L{llmproxy.core.deviceflow.asked}. C{None} for one that is not known."""

    def redeem(grant_id: str, device: Device, token: Token) -> Deferred[list[Token] | None]:
        """
        Store a device with its first token, and that the grant is used; C{None}, and nothing is stored, if it is not
        approved (any more) or the person is revoked or gone.

        @return: other tokens that ended: of devices of the same program at the same place whose C{stale_at} was just
            now (L{llmproxy.core.deviceflow.SUSPECT_FOR}), and as the person has so many devices.
        """

    def by_selector(selector_hash: str) -> Deferred[Device | None]:
        """The one of a refresh token."""

    def rotate(device: Device, token: Token, secret_hash: str, ending: str | None) -> Deferred[list[Token] | None]:
        """
        Store a device with its next pair of tokens; C{None}, and nothing is stored, if it has ended or its secret is
        another one than C{secret_hash}, or the person is revoked or gone.

        @param ending: the id of a token that ends with it.
        @return: the token that ended.
        """

    def end(device_id: str, because: str) -> Deferred[list[Token] | None]:
        """
        End a device, with its tokens, which are returned as they are now; C{None} if it is not there. A second time
        changes nothing.
        """

    def get(device_id: str) -> Deferred[Device | None]:
        """One of them."""

    def counts(person_ids: Sequence[str]) -> Deferred[dict[str, int]]:
        """How many devices are let in of each of them, of those who have one."""

    def of_person(person_id: str) -> Deferred[list[Device]]:
        """Those of a person that are known, the one that was used last first."""
