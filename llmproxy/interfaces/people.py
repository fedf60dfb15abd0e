"""Interface of the store of people: those who sign in by an identity provider, and all that is theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Interface

from ..core.people.person import Person
from ..message import Page, Token


class IPeopleStore(Interface):
    """People at rest. Every method returns a Deferred; unknown ids give C{None}."""

    def note(person: Person) -> Deferred[Person]:
        """
        Somebody has signed in, at C{last_seen_at}: store who is new, and of who is known what is said of them now, if
        nothing later is known. C{id}, C{created_at} and C{revoked_at} are those that are stored. Tokens of theirs for
        another project than now are revoked, and those for this one get their limits; what is behind access tokens of
        the provider stays, as these say themselves what they are good for.
        """

    def get(person_id: str) -> Deferred[Person | None]:
        """One of them."""

    def some(ids: Sequence[str]) -> Deferred[Sequence[Person]]:
        """Those of these ids that there are, at once; a hundred at most."""

    def by_key(subject_key: str) -> Deferred[Person | None]:
        """The one that a provider calls so; see L{llmproxy.core.people.person.subject_key}."""

    def page(
        limit: int, after: str | None = None, *, text: str | None = None, is_revoked: bool | None = None
    ) -> Deferred[Page[Person]]:
        """
        At most C{limit} of them, who signed in last first, by keyset; see L{llmproxy.interfaces.ITokenStore.page}.

        @param text: only those with this in their name, address or subject.
        @raise ValueError: likewise.
        """

    def project_id(name_or_id: str) -> Deferred[str | None]:
        """The id of the project with this name, or this id."""

    def tokens(person_id: str) -> Deferred[list[Token]]:
        """Their tokens, the newest first, a thousand at most."""

    def add_token(token: Token) -> Deferred[bool]:
        """
        Store a token of a person (C{person_id}); C{False}, and nothing is stored, if they are revoked or gone.

        Who revokes them at the same time comes before, or revokes this one too.
        """

    def jwt_token(person_id: str, token: Token, said_at: float | None) -> Deferred[Token | None]:
        """
        The token behind their access tokens in the project of C{token}, which is stored if there is none; C{None} if
        they are revoked or gone. One that was revoked stays behind what the provider gave before that.

        @param said_at: when it gave the access token; C{None} if that is not known.
        """

    def revoke(person_id: str) -> Deferred[Person | None]:
        """
        Shut somebody out: their tokens and their sessions end, here and, by the changes feed, in every process. A
        second time changes nothing.
        """

    def reinstate(person_id: str) -> Deferred[Person | None]:
        """Let somebody in again: they have to sign in anew. Tokens that were revoked stay so."""

    def reset_budget(person_id: str, at: float) -> Deferred[Person | None]:
        """Their budget, and that of each of their tokens, begins anew at C{at}, seconds since the epoch."""

    def end_sessions(issuer: str, subject: str, provider_session: str) -> Deferred[int]:
        """
        End sessions at the pages that a provider says are over: those of its session, or of a person; how many. What a
        person had signed in with elsewhere is over too, see C{signed_out_at} of L{Person}.

        @param subject: C{""} for everybody with that session; C{provider_session} C{""} for all.
        """

    def export(person_id: str, limit: int) -> Deferred[dict[str, Any] | None]:
        """All that is stored of somebody, as values of JSON; of single records of usage the last C{limit}."""

    def delete(person_id: str) -> Deferred[bool]:
        """
        Forget somebody: their tokens and sessions end, and nothing that is kept for sums and audit names them any more;
        whether they were there.
        """
