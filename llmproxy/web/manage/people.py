"""C{/manage/people}: those who sign in by an identity provider."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from ...core.people.person import Person
from ...errors import BadRequest, NotFound
from ...management.people import PeopleRules
from ...message import Role, Token
from ..operations import Call, Operation, Routes
from .paging import Paging, given, link_next
from .responses import Moment, moment


class WhichPeople(Paging, forbid_unknown_fields=True):
    q: Annotated[str, Meta(max_length=255, description="In their name, address or subject.")] | UnsetType = UNSET
    is_revoked: Annotated[bool, Meta(description="Those who are shut out, or the others.")] | UnsetType = UNSET


class PersonView(Struct):
    """@ivar actor: what the audit log calls them."""

    id: str
    provider: str
    subject: str
    actor: str
    name: str
    email: str
    groups: list[str]
    role: Role | None
    project_id: str | None
    created_at: Moment
    last_seen_at: Moment
    revoked_at: Moment | None


class PersonToken(Struct):
    """@ivar kind: C{jwt} for what is behind access tokens of the provider, C{device} for those of programs."""

    id: str
    kind: str | None
    name: str | None
    project_id: str
    is_active: bool
    created_at: Moment
    expires_at: Moment | None
    last_used_at: Moment | None
    request_count: int


class PeopleRoutes:
    """
    @param rules: C{None} where nobody signs in by an identity provider.
    """

    def __init__(self, rules: PeopleRules | None) -> None:
        self._given = rules

    def routes(self) -> Routes:
        read, write, data = "person.read", "person.write", "person.data"
        return {
            "/people": {
                b"GET": Operation(
                    self.list,
                    query=WhichPeople,
                    answer=list[PersonView],
                    needs=read,
                    action="person.list",
                    summary="List people who sign in by an identity provider, who was seen last first.",
                    paged=True,
                ),
            },
            "/people/{person_id}": {
                b"GET": Operation(
                    self.show, answer=PersonView, needs=read, action="person.read", summary="Show a person."
                ),
                b"DELETE": Operation(
                    self.delete,
                    needs=data,
                    action="person.delete",
                    summary="Forget a person: what they have ends, and nothing that is kept names them any more.",
                ),
            },
            "/people/{person_id}/tokens": {
                b"GET": Operation(
                    self.tokens,
                    answer=list[PersonToken],
                    needs=read,
                    action="person.tokens",
                    summary="List the tokens of a person, the newest first.",
                ),
            },
            "/people/{person_id}/export": {
                b"GET": Operation(
                    self.export,
                    answer=dict[str, Any],
                    needs=data,
                    action="person.export",
                    summary="All that is stored of a person.",
                ),
            },
            "/people/{person_id}/revoke": {
                b"POST": Operation(
                    self.revoke,
                    answer=PersonView,
                    needs=write,
                    action="person.revoke",
                    summary="Shut a person out: tokens, running exchanges and sessions end at once, everywhere.",
                ),
            },
            "/people/{person_id}/reinstate": {
                b"POST": Operation(
                    self.reinstate,
                    answer=PersonView,
                    needs=write,
                    action="person.reinstate",
                    summary="Let a person in again, who has to sign in anew.",
                ),
            },
        }

    @property
    def _rules(self) -> PeopleRules:
        if self._given is None:
            raise NotFound("nobody signs in by an identity provider: the configuration has no identity")
        return self._given

    async def list(self, call: Call) -> list[PersonView]:
        query: WhichPeople = call.query
        try:
            found = await self._rules.list(
                query.limit, query.cursor or None, text=given(query.q), is_revoked=given(query.is_revoked)
            )
        except ValueError:
            raise BadRequest("expected the one of the link to the next page", message="invalid cursor") from None
        link_next(call, found.after)
        return [view_of_person(each) for each in found.items]

    async def show(self, call: Call) -> PersonView:
        return view_of_person(await self._named(call))

    async def tokens(self, call: Call) -> Sequence[PersonToken]:
        person = await self._named(call)
        return [_view_of_token(each) for each in await self._rules.tokens(person.id)]

    async def export(self, call: Call) -> dict[str, Any]:
        person = await self._named(call)
        return await self._rules.export(person.id)

    async def delete(self, call: Call) -> None:
        # The record of this call names nobody whom it has forgotten.
        call.details["person_id"] = call.path["person_id"]
        await self._rules.delete(call.path["person_id"])

    async def revoke(self, call: Call) -> PersonView:
        person = await self._named(call)
        if person.revoked_at is not None:
            call.details["already_revoked"] = True
        return view_of_person(await self._rules.revoke(person.id))

    async def reinstate(self, call: Call) -> PersonView:
        person = await self._named(call)
        return view_of_person(await self._rules.reinstate(person.id))

    async def _named(self, call: Call) -> Person:
        """The person of the path; what is noted of the call says who it is."""
        call.details["person_id"] = call.path["person_id"]
        person = await self._rules.get(call.path["person_id"])
        call.details["person"] = person.actor
        return person


def view_of_person(person: Person) -> PersonView:
    return PersonView(
        person.id,
        person.provider,
        person.subject,
        person.actor,
        person.name,
        person.email,
        list(person.groups),
        person.role,
        person.project_id,
        moment(person.created_at),
        moment(person.last_seen_at),
        None if person.revoked_at is None else moment(person.revoked_at),
    )


def _view_of_token(token: Token) -> PersonToken:
    return PersonToken(
        token.id,
        token.kind,
        token.name,
        token.project_id,
        token.is_active,
        moment(token.created_at),
        None if token.expires_at is None else moment(token.expires_at),
        None if token.last_used_at is None else moment(token.last_used_at),
        token.request_count,
    )
