"""Rules of devices: programs that a person lets in by the device flow (RFC 8628), and their tokens."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from attrs import frozen

from ..core.devicecodes import (
    Random,
    RefreshToken,
    device_code,
    hashed,
    is_same,
    read_refresh_token,
    refresh_token,
    typed,
    user_code,
)
from ..core.deviceflow import ASKING_FOR, MOST_WAITING, Device, Grant, Standing, is_open, refreshing, rotated
from ..core.failures import network_of
from ..core.oautherrors import OAuthRefusal
from ..core.tokens import DEVICE
from ..errors import Forbidden, InvalidToken, NotFound
from ..identityerrors import PersonRevoked, ProviderUnavailable, SignInOver

if TYPE_CHECKING:
    from ..core.people.person import Person
    from ..interfaces.devices import IDeviceStore
    from ..message import Token
    from .people import PeopleRules

_TRIES = 5
"""For a user code that nobody else has."""

_LONGEST = 128


class Lifetimes(Protocol):
    """L{llmproxy.config.agents.SignInConfig} is one. All are seconds."""

    @property
    def token_lifetime(self) -> float: ...

    @property
    def sign_in_lifetime(self) -> float: ...

    @property
    def code_lifetime(self) -> float: ...


@frozen(eq=False)
class Begun:
    """What a program gets that asks to be let in."""

    grant: Grant
    device_code: str
    user_code: str


@frozen(eq=False)
class Issued:
    """
    A pair of tokens.

    @ivar secret: of the access token.
    """

    person: Person
    device: Device
    token: Token
    secret: str
    refresh_token: str


class AsksAgain(Protocol):
    """Asking providers again about people; see L{llmproxy.identity.asking.AskingAgain}."""

    def standing(self, device: Device, person: Person) -> Standing: ...

    async def ask(self, device: Device, person: Person) -> str | None: ...


class Stale(OAuthRefusal):
    """
    A refresh token was shown that had been used before, from where its device was refreshed last: by another process of
    the same program, which finds what that has now.
    """

    def __init__(self, device: Device) -> None:
        super().__init__("invalid_grant", "the refresh token was used before", 401)
        self.device = device


class Reused(OAuthRefusal):
    """A refresh token was shown that had been used before: it was copied, so that the device is no longer let in."""

    def __init__(self, device: Device) -> None:
        super().__init__("invalid_grant", "the sign-in is over: sign in again", 401)
        self.device = device


def _outcome(refusal: OAuthRefusal) -> str:
    """For counts."""
    if isinstance(refusal, (Reused, Stale)):
        return "reuse" if isinstance(refusal, Reused) else "stale"
    return "over" if refusal.code == "invalid_grant" else "unavailable"


def over() -> OAuthRefusal:
    """The client has to sign in again: 401, as Claude Code expects it."""
    return OAuthRefusal("invalid_grant", "the sign-in is over: sign in again", 401)


class DeviceRules:
    """
    Each change is in the store, and known to the directories of all workers, when its Deferred fires.

    @param lifetimes: those that are configured now.
    @param providers: are asked again about people as their devices are refreshed; C{None} where nobody is asked.
    @param count: called with what became of a refresh: C{ok}, C{over}, C{stale}, C{reuse} or C{unavailable}.
    """

    def __init__(
        self,
        people: PeopleRules,
        store: IDeviceStore,
        lifetimes: Callable[[], Lifetimes],
        random: Random = os.urandom,
        providers: AsksAgain | None = None,
        count: Callable[[str], object] = lambda outcome: None,
    ) -> None:
        self._count = count
        self._people = people
        self._state = people.state
        self._store = store
        self._lifetimes = lifetimes
        self._random = random
        self._providers = providers

    async def begin(self, program: str, device: str, address: str) -> Begun:
        """
        A program asks to be let in.

        @param program: what it calls itself.
        @param device: where it runs, by its own word.
        @raise OAuthRefusal: too many are waiting.
        """
        now = self._state.seconds()
        for _ in range(_TRIES):
            code, shown = device_code(self._random), user_code(self._random)
            grant = Grant(
                hashed(code),
                hashed(shown),
                _readable(program),
                _readable(device),
                address[:64],
                now,
                now + self._lifetimes().code_lifetime,
            )
            if await self._store.add_grant(grant, MOST_WAITING):
                return Begun(grant, code, shown)
        raise OAuthRefusal("temporarily_unavailable", "too many programs wait to be let in", 503, 60)

    async def waiting(self, code: str) -> Grant | None:
        """The program that waits with a code as a person has typed it; C{None} if none does (any more)."""
        shown = typed(code)
        grant = await self._store.by_user_code(hashed(shown)) if shown else None
        return grant if grant is not None and is_open(grant, self._state.seconds()) else None

    async def remember(self, grant: Grant, person: Person, provider_token: str | None) -> None:
        """Keep what the provider of a person who is about to decide can be asked with again; sealed."""
        if provider_token is not None:
            await self._store.remember(grant.id, person.id, provider_token)

    async def decide(self, grant: Grant, person: Person, approved: bool) -> bool:
        """A person lets a program in, or does not; whether it was still to be decided."""
        return await self._store.decide(grant.id, person.id, approved)

    async def redeem(self, code: str) -> Issued:
        """
        The tokens of a program that somebody has let in.

        @raise OAuthRefusal: nobody has, or it asks too often, or its code is none (any more).
        """
        found = await self._store.asked(hashed(code))
        if found is None:
            raise OAuthRefusal("invalid_grant", "the device code is not known")
        answer, grant = found
        if answer != "approved":
            raise OAuthRefusal(answer, _SAID[answer])
        return await self._state.alone(lambda: self._redeem(grant))

    async def _redeem(self, grant: Grant) -> Issued:
        person, token, secret = await self._token(grant.person_id or "", grant.program, grant.device)
        now = self._state.seconds()
        first = refresh_token(self._random)
        device = Device(
            str(uuid4()),
            person.id,
            grant.program,
            grant.device,
            grant.address,
            first.selector_hash,
            first.secret_hash,
            token.id,
            now,
            now,
            now + self._lifetimes().sign_in_lifetime,
            provider_token=grant.provider_token,
        )
        ended = await self._store.redeem(grant.id, device, token)
        if ended is None:
            raise OAuthRefusal("expired_token", _SAID["expired_token"])
        self._learn([*ended, token])
        return Issued(person, device, token, secret, first.text)

    async def refresh(self, text: str, address: str = "") -> Issued:
        """
        The next pair of tokens of a device.

        @param address: where it is asked from.
        @raise Stale: the refresh token was used before, and there is no reason to think that it was copied.
        @raise Reused: the refresh token was used before; the device is no longer let in.
        @raise OAuthRefusal: it is none, or no longer good, or the person is shut out, here or at their provider.
        """
        try:
            shown = read_refresh_token(text)
            if shown is None:
                raise over()
            await self._ask_again(shown)
            network = network_of(address) if address else ""
            issued = await self._state.alone(lambda: self._refresh(shown, network))
        except OAuthRefusal as refusal:
            self._count(_outcome(refusal))
            raise
        self._count("ok")
        return issued

    async def _ask_again(self, shown: RefreshToken) -> None:
        """
        Have the provider say that the person is still who they were, where it is time to. Nothing is used up before:
        who is answered that it cannot be known now asks again with the same refresh token.

        @raise OAuthRefusal: they are not, or nobody knows for too long.
        """
        found = None if self._providers is None else await self._standing(shown, self._providers)
        if self._providers is None or found is None or found[2] == "known":
            return
        device, person, _ = found
        if not await self._store.claim(device, self._state.seconds() + ASKING_FOR):
            # Another session asks, or has just done so.
            found = await self._standing(shown, self._providers)
            if found is not None and found[2] == "overdue":
                words = "the identity provider is being asked: try again"
                raise OAuthRefusal("temporarily_unavailable", words, 503, 2)
            return
        await self._ask(self._providers, device, person)

    async def _standing(self, shown: RefreshToken, providers: AsksAgain) -> tuple[Device, Person, Standing] | None:
        """Of a refresh token that is good whose it is, and whether it is time to ask; C{None} of another one."""
        device = await self._store.by_selector(shown.selector_hash)
        if device is None:
            return None
        if refreshing(device, is_same(device.secret_hash, shown.secret_hash), self._state.seconds()) != "good":
            return None
        try:
            person = await self._people.get(device.person_id)
        except NotFound:
            raise over() from None
        return device, person, providers.standing(device, person)

    async def _ask(self, providers: AsksAgain, device: Device, person: Person) -> None:
        now = self._state.seconds()
        try:
            kept = await providers.ask(device, person)
        except SignInOver:
            await self._state.alone(lambda: self._end(device.id, "provider"))
            raise over() from None
        except ProviderUnavailable as error:
            await self._store.unclaim(device.id)
            if providers.standing(device, person) == "overdue":
                words = "the identity provider does not answer: try again later"
                raise OAuthRefusal("temporarily_unavailable", words, 503, 60) from error
        else:
            await self._store.checked(device.id, kept, now)

    async def _refresh(self, shown: RefreshToken, network: str) -> Issued:
        device = await self._store.by_selector(shown.selector_hash)
        if device is None:
            raise over()
        now = self._state.seconds()
        await self._check(device, is_same(device.secret_hash, shown.secret_hash), now, network)
        person, token, secret = await self._token(device.person_id, device.program, device.device)
        following = shown.renewed(self._random)
        after, ending = rotated(device, following.secret_hash, token.id, now, network)
        ended = await self._store.rotate(after, token, shown.secret_hash, ending)
        if ended is None:
            # Of two that show it at the same time, on two machines perhaps, one was first; or the person is out.
            await self._check(await self._store.by_selector(shown.selector_hash) or device, False, now, network)
        self._learn([*(ended or ()), token])
        return Issued(person, after, token, secret, following.text)

    async def _check(self, device: Device, same: bool, now: float, network: str) -> None:
        """
        @raise OAuthRefusal: the refresh token is not good.
        """
        worth = refreshing(device, same, now, network)
        if worth == "over":
            raise over()
        if worth == "stale":
            await self._store.stale(device.id, now)
            raise Stale(device)
        if worth == "reuse":
            await self._end(device.id, "reuse")
            raise Reused(device)

    async def sign_out(self, text: str) -> Device | None:
        """Who shows a refresh token ends its device (RFC 7009): any that was ever its own; C{None} if it is none."""
        shown = read_refresh_token(text)
        device = None if shown is None else await self._store.by_selector(shown.selector_hash)
        if device is None:
            return None
        await self._state.alone(lambda: self._end(device.id, "signed_out"))
        return device

    async def of_person(self, person_id: str) -> Sequence[Device]:
        """
        Those of a person, the one that was used last first.

        @raise NotFound: there is no such person.
        """
        await self._people.get(person_id)
        return await self._store.of_person(person_id)

    async def end(self, device_id: str) -> Device:
        """
        Let a device in no longer: its tokens and running exchanges end at once. Idempotent.

        @raise NotFound: there is none.
        """
        await self._state.alone(lambda: self._end(device_id, "revoked"))
        found = await self._store.get(device_id)
        if found is None:
            raise NotFound(message="device not found")
        return found

    async def _end(self, device_id: str, because: str) -> None:
        self._learn(await self._store.end(device_id, because) or ())

    def _learn(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            self._state.directory.token_changed(token)

    async def _token(self, person_id: str, program: str, device: str) -> tuple[Person, Token, str]:
        try:
            person = await self._people.get(person_id)
            name = f"{program} on {device}" if device else program
            token, secret = self._people.made(person, DEVICE, self._lifetimes().token_lifetime, name)
        except (NotFound, PersonRevoked, InvalidToken, Forbidden):
            raise over() from None
        return person, token, secret


_SAID = {
    "authorization_pending": "nobody has let this program in yet",
    "slow_down": "ask less often",
    "access_denied": "somebody has refused to let this program in",
    "expired_token": "the code has expired, or was used",
}


def _readable(text: str) -> str:
    """What a program says of itself, as a person can be shown it: one line, no control characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in text[: 4 * _LONGEST]).split())[:_LONGEST]
