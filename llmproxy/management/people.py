"""Rules of people: what follows when somebody signs in, their tokens, shutting them out, what is known of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec

from ..core.people.grants import Grant
from ..core.people.person import Asserted, Person
from ..core.tokens import JWT, generate, hint, token_hash
from ..errors import NotFound
from ..identityerrors import NotGranted, PersonRevoked
from ..message import Page, Token
from .limits import check_with_defaults

if TYPE_CHECKING:
    from ..interfaces.people import IPeopleStore
    from .state import State

MOST_EXPORTED = 10_000
"""Single records of usage that an export has, the last ones."""


class PeopleRules:
    """
    Each change is in the store, and known to the directories of all workers, when its Deferred fires; other machines
    learn of it by the changes feed.

    @param grant: what the rules of the configuration give somebody now.
    """

    def __init__(self, state: State, people: IPeopleStore, grant: Callable[[Asserted], Grant]) -> None:
        self.state = state
        self.people = people
        self._grant = grant

    async def sign_in(self, who: Asserted, said_at: float | None = None) -> Person:
        """
        Somebody of whom a provider has spoken: who is new is stored, and of who is known what holds of them now.

        @param said_at: when the provider said it, in seconds since the epoch; C{None} is now. What was said earlier
            than what is known changes nothing.
        @raise NotGranted: a rule refuses them, or none is for them, or the project that it names is not there. What a
            person had who was known, and is refused as they sign in, ends.
        @raise PersonRevoked: they are shut out.
        """
        grant = self._grant(who)
        now = self.state.seconds()
        if grant.refusal:
            if said_at is None:
                await self._take_away(who, now)
            raise NotGranted(grant.refusal)
        known = await self.people.by_key(who.subject_key)
        if known is not None and known.revoked_at is not None:
            raise PersonRevoked("ask those who run this proxy")
        person = _person(who, grant, await self._project_id(grant), now, now if said_at is None else min(said_at, now))
        check_with_defaults(person.limits, self.state.limits)
        noted = await self.state.alone(lambda: self._note(person, known))
        if noted.revoked_at is not None:
            raise PersonRevoked("ask those who run this proxy")
        return noted

    async def issue(
        self,
        person: Person,
        kind: str,
        duration: float,
        name: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> tuple[Token, str]:
        """
        A withering token of somebody, for the project and with the limits of their last sign-in, and its secret.

        @param kind: C{llmproxy.core.tokens.DEVICE}, say.
        @param duration: seconds.
        @raise NotGranted: they have no project.
        @raise PersonRevoked: they are shut out, at this very moment perhaps.
        """
        token, secret = self.made(person, kind, duration, name, metadata)
        if not await self.people.add_token(token):
            raise PersonRevoked("ask those who run this proxy")
        self.state.directory.token_changed(token)
        return token, secret

    def made(
        self,
        person: Person,
        kind: str,
        duration: float,
        name: str | None = None,
        metadata: dict[str, str] | None = None,
    ) -> tuple[Token, str]:
        """
        Likewise, and nothing is stored: who calls this stores it in a transaction that checks the person.

        @raise NotGranted: they have no project.
        """
        secret = generate(os.urandom)
        return self._token(person, kind, token_hash(secret.encode()), hint(secret), duration, name, metadata), secret

    async def jwt_token(self, person: Person, said_at: float | None = None) -> Token:
        """
        The token behind somebody's access tokens of the provider.

        @param said_at: see L{llmproxy.interfaces.people.IPeopleStore.jwt_token}.
        @raise NotGranted: they have no project.
        @raise PersonRevoked: they are shut out.
        """
        # Nobody knows of what this is the hash.
        nobody = token_hash(os.urandom(32))
        wanted = self._token(person, JWT, nobody, JWT, None, person.actor, None)
        found = await self.people.jwt_token(person.id, wanted, said_at)
        if found is None:
            raise PersonRevoked("ask those who run this proxy")
        return found

    async def token(self, token_id: str) -> Token | None:
        """One that was given out, as it is now; C{None} if it is gone."""
        return await self.state.tokens.get(token_id)

    async def list(
        self, limit: int, after: str | None = None, *, text: str | None = None, is_revoked: bool | None = None
    ) -> Page[Person]:
        """See L{llmproxy.interfaces.people.IPeopleStore.page}."""
        return await self.people.page(limit, after, text=text, is_revoked=is_revoked)

    async def get(self, person_id: str) -> Person:
        """
        @raise NotFound: there is none.
        """
        return _found(await self.people.get(person_id))

    async def tokens(self, person_id: str) -> Sequence[Token]:
        """
        Their tokens, the newest first.

        @raise NotFound: there is no such person.
        """
        await self.get(person_id)
        await self.state.flush()
        return await self.people.tokens(person_id)

    async def revoke(self, person_id: str) -> Person:
        """
        Shut somebody out: tokens, running exchanges and sessions end at once, everywhere. Idempotent.

        @raise NotFound: there is none.
        """
        return await self.state.alone(lambda: self._revoke(person_id))

    async def reinstate(self, person_id: str) -> Person:
        """
        Let somebody in again, who has to sign in anew. Idempotent.

        @raise NotFound: there is none.
        """
        return _found(await self.state.alone(lambda: self._reinstate(person_id)))

    async def reset_budget(self, person_id: str) -> Person:
        """
        Set back what somebody has spent, with all of their tokens: their budget begins anew now.

        @raise NotFound: there is none.
        """
        return _found(await self.state.alone(lambda: self._reset_budget(person_id)))

    async def export(self, person_id: str) -> dict[str, Any]:
        """
        All that is stored of somebody, as values of JSON.

        @raise NotFound: there is none.
        """
        await self.state.flush()
        found = await self.people.export(person_id, MOST_EXPORTED)
        if found is None:
            raise NotFound(message="person not found")
        return found

    async def delete(self, person_id: str) -> None:
        """
        Forget somebody: what they have ends, and nothing that stays names them. Who is to stay out has to be revoked
        instead, or shut out by the provider or a rule: somebody who signs in after this is new.

        @raise NotFound: there is none.
        """
        await self.state.flush()
        await self.state.alone(lambda: self._delete(person_id))

    async def _take_away(self, who: Asserted, now: float) -> None:
        """Nothing is for somebody any more: if they are known, they keep nothing of before."""
        known = await self.people.by_key(who.subject_key)
        if known is not None and known.revoked_at is None:
            nothing = _person(who, Grant(groups=who.groups), None, now, now)
            await self.state.alone(lambda: self._note(nothing, known))

    async def _project_id(self, grant: Grant) -> str | None:
        if not grant.project:
            return None
        found = await self.people.project_id(grant.project)
        if found is None:
            raise NotGranted(f"the rules of identity give the project {grant.project!r}, which is not there")
        return found

    async def _note(self, person: Person, known: Person | None) -> Person:
        noted = await self.people.note(person)
        # A directory that learns of nothing has not to doubt what it is looking up.
        if known is not None and (known.project_id, known.limits) != (noted.project_id, noted.limits):
            await self._announce(noted.id)
        return noted

    async def _revoke(self, person_id: str) -> Person:
        person = _found(await self.people.revoke(person_id))
        self.state.directory.person_revoked(person_id)
        return person

    async def _reinstate(self, person_id: str) -> Person | None:
        return await self.people.reinstate(person_id)

    async def _reset_budget(self, person_id: str) -> Person | None:
        person = await self.people.reset_budget(person_id, self.state.seconds())
        if person is not None:
            await self._announce(person_id)
        return person

    async def _announce(self, person_id: str) -> None:
        for token in await self.people.tokens(person_id):
            self.state.directory.token_changed(token)

    async def _delete(self, person_id: str) -> None:
        gone = await self.people.delete(person_id)
        self.state.directory.person_revoked(person_id)
        if not gone:
            raise NotFound(message="person not found")

    def _token(
        self,
        person: Person,
        kind: str,
        digest: str,
        shown: str,
        duration: float | None,
        name: str | None,
        metadata: dict[str, str] | None,
    ) -> Token:
        if person.project_id is None:
            raise NotGranted("no rule of identity gives you a project")
        now = self.state.seconds()
        return Token(
            str(uuid4()),
            digest,
            shown,
            person.project_id,
            None if duration is None else now + duration,
            created_at=now,
            name=name,
            metadata=msgspec.json.encode(metadata).decode() if metadata else None,
            limits=person.limits,
            person_id=person.id,
            kind=kind,
            budget_reset_at=person.budget_reset_at,
        )


def _found(person: Person | None) -> Person:
    if person is None:
        raise NotFound(message="person not found")
    return person


def _person(who: Asserted, grant: Grant, project_id: str | None, now: float, said_at: float) -> Person:
    return Person(
        str(uuid4()),
        who.subject_key,
        who.provider,
        who.issuer,
        who.subject,
        who.name,
        who.email if who.email_verified else "",
        grant.groups,
        grant.role,
        project_id,
        grant.limits,
        created_at=now,
        last_seen_at=said_at,
    )
