"""C{/manage/people}: those who sign in by an identity provider, with their devices and what they spend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, field

from ...core.deviceflow import Device
from ...core.people.person import Person
from ...core.roles import may
from ...errors import Forbidden, Unavailable
from ...management.atonce import all_of
from ...management.limits import left_of
from ...management.peoplebooks import PeopleBooks, Spent, token_like
from ...message import Role, Token
from ..operations import Call, NoQuery, Operation, Routes
from .auth import Actor
from .limits import LimitFields, LimitView, stated, view_of_left
from .paging import Paging, given, link_next
from .responses import Moment, moment
from .usage import TokenUsageFilter, report_asked
from .usageviews import Money, UsageReport

_Time = Annotated[str, Meta(max_length=64, description="How much of usage counts: 30d, 7d, 24h, a day, RFC 3339.")]


class PeopleFilter(Paging, forbid_unknown_fields=True):
    q: Annotated[str, Meta(max_length=255, description="In their name, address or subject.")] | UnsetType = UNSET
    is_revoked: Annotated[bool, Meta(description="Those who are shut out, or the others.")] | UnsetType = UNSET
    spent_since: _Time = "30d"


class PersonFilter(NoQuery, forbid_unknown_fields=True):
    spent_since: _Time = "30d"


class PersonLimits(LimitFields):
    """What the rules of the configuration say of them."""


class DeviceView(Struct):
    """
    A program that somebody has let in.

    @ivar address: from where it was let in.
    @ivar expires_at: when the person has to sign in again.
    @ivar ended_because: null for one that is good.
    @ivar checked_at: when their provider was asked last whether they are still who they were; null if it was not since
        they signed in.
    """

    id: str
    program: str
    device: str
    address: str
    created_at: Moment
    used_at: Moment
    expires_at: Moment
    ended_at: Moment | None
    ended_because: str | None
    checked_at: Moment | None = None


class PersonView(Struct):
    """
    Somebody who has signed in.

    @ivar subject: what the provider calls them.
    @ivar actor: what the audit log calls them.
    @ivar groups: those of the provider and of our rules.
    @ivar role: of the management API; null for none.
    @ivar devices: how many are let in now.
    @ivar requests: since C{spent_since}, as is C{cost}; null while usage cannot be asked for.
    @ivar limits_left: only where one person is shown.
    """

    id: str
    provider: str
    subject: str
    actor: str
    name: str
    email: str
    groups: list[str]
    role: Role | None
    project_id: str | None
    limits: PersonLimits
    created_at: Moment
    last_seen_at: Moment
    revoked_at: Moment | None
    budget_reset_at: Moment | None
    devices: int
    requests: int | None
    cost: Money | None
    limits_left: list[LimitView] | UnsetType = field(default=UNSET)


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
    """What can be done with people. Who has a role at the management API is touched by owners alone."""

    def __init__(self, books: PeopleBooks) -> None:
        self._books = books

    def routes(self) -> Routes:
        read, write, data = "person.read", "person.write", "person.data"

        def post(respond: Any, action: str, summary: str) -> Operation:
            return Operation(respond, answer=PersonView, needs=write, action=action, summary=summary)

        one = "/people/{person_id}"
        return {
            "/people": {
                b"GET": Operation(
                    self.list,
                    query=PeopleFilter,
                    answer=list[PersonView],
                    paged=True,
                    needs=read,
                    action="person.list",
                    summary="List people who have signed in, the last ones first.",
                )
            },
            one: {
                b"GET": Operation(
                    self.show,
                    query=PersonFilter,
                    answer=PersonView,
                    needs=read,
                    action="person.read",
                    summary="Show somebody, with what is left of their limits.",
                ),
                b"DELETE": Operation(
                    self.delete,
                    needs=data,
                    action="person.delete",
                    summary="Forget somebody: what they have ends, and nothing that stays names them.",
                ),
            },
            f"{one}/revoke": {
                b"POST": post(self.revoke, "person.revoke", "Shut somebody out: all that they have ends at once.")
            },
            f"{one}/reinstate": {
                b"POST": post(self.reinstate, "person.reinstate", "Let somebody in again, who has to sign in anew.")
            },
            f"{one}/budget/reset": {
                b"POST": post(self.reset_budget, "person.reset_budget", "Count what somebody spends anew from now on.")
            },
            f"{one}/export": {
                b"GET": Operation(
                    self.export,
                    answer=dict[str, Any],
                    needs=data,
                    action="person.export",
                    summary="Give out all that is stored of somebody.",
                )
            },
            f"{one}/usage": {
                b"GET": Operation(
                    self.usage,
                    query=TokenUsageFilter,
                    answer=UsageReport,
                    needs="usage.read",
                    action="usage.person",
                    summary="Sum up the usage and cost of somebody.",
                    errors=(Unavailable,),
                )
            },
            f"{one}/tokens": {
                b"GET": Operation(
                    self.tokens,
                    answer=list[PersonToken],
                    needs=read,
                    action="person.tokens",
                    summary="List the tokens of somebody, the newest first.",
                )
            },
            f"{one}/devices": {
                b"GET": Operation(
                    self.devices,
                    answer=list[DeviceView],
                    needs=read,
                    action="device.list",
                    summary="List the devices of somebody, those that were used last first.",
                )
            },
            f"{one}/devices/{{device_id}}": {
                b"DELETE": Operation(
                    self.end_device,
                    needs=write,
                    action="device.end",
                    summary="Let a device in no longer: its tokens end at once.",
                )
            },
        }

    async def list(self, call: Call) -> list[PersonView]:
        query: PeopleFilter = call.query
        page = await self._books.page(query.limit, query.cursor or None, given(query.q), given(query.is_revoked))
        link_next(call, page.after)
        spent = await self._books.spent(page.items, query.spent_since)
        return [_view_of(person, each) for person, each in zip(page.items, spent, strict=True)]

    async def show(self, call: Call) -> PersonView:
        person = await self._named(call)
        state = self._books.people.state
        left_of_them = left_of(state.limits, None, token_like(person), state.seconds())
        view, left = await all_of([self._view(person, call.query.spent_since), left_of_them])
        view.limits_left = [view_of_left(each) for each in left]
        shown: PersonView = view
        return shown

    async def tokens(self, call: Call) -> Sequence[PersonToken]:
        person = await self._named(call)
        return [_view_of_token(each) for each in await self._books.people.tokens(person.id)]

    async def revoke(self, call: Call) -> PersonView:
        person = await self._touchable(call)
        if person.revoked_at is not None:
            call.details["already_revoked"] = True
        return await self._view(await self._books.people.revoke(person.id))

    async def reinstate(self, call: Call) -> PersonView:
        person = await self._touchable(call)
        return await self._view(await self._books.people.reinstate(person.id))

    async def reset_budget(self, call: Call) -> PersonView:
        person = await self._named(call)
        return await self._view(await self._books.people.reset_budget(person.id))

    async def export(self, call: Call) -> dict[str, Any]:
        person = await self._named(call)
        return await self._books.people.export(person.id)

    async def delete(self, call: Call) -> None:
        # The record of this call names nobody whom it has forgotten.
        await self._books.people.delete(_id(call))

    async def usage(self, call: Call) -> dict[str, Any]:
        await self._named(call)
        question = self._books.usage.question(report_asked(call.query), persons=(_id(call),))
        return await self._books.usage.report(question, with_forecast=call.query.forecast)

    async def devices(self, call: Call) -> Sequence[DeviceView]:
        await self._named(call)
        return [view_of_device(each) for each in await self._books.devices_of(_id(call))]

    async def end_device(self, call: Call) -> None:
        await self._named(call)
        device = await self._books.end_device(_id(call), call.path["device_id"])
        call.details |= {"program": device.program, "device": device.device}

    async def _named(self, call: Call) -> Person:
        """The person of the path; what is noted of the call says who it is."""
        person = await self._books.people.get(_id(call))
        call.details["person"] = person.actor
        return person

    async def _touchable(self, call: Call) -> Person:
        actor: Actor = call.actor
        person = await self._named(call)
        if person.role is not None and not may(actor.role, "admin.write"):
            raise Forbidden(f"it takes the role owner, as the role of this person is {person.role}")
        return person

    async def _view(self, person: Person, spent_since: str = "30d") -> PersonView:
        [spent] = await self._books.spent([person], spent_since)
        return _view_of(person, spent)


def _id(call: Call) -> str:
    return call.path["person_id"]


def _view_of(person: Person, spent: Spent) -> PersonView:
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
        PersonLimits(**stated(person.limits)),
        moment(person.created_at),
        moment(person.last_seen_at),
        _known(person.revoked_at),
        _known(person.budget_reset_at),
        spent.devices,
        spent.requests,
        spent.cost,
    )


def view_of_device(device: Device) -> DeviceView:
    return DeviceView(
        device.id,
        device.program,
        device.device,
        device.address,
        moment(device.created_at),
        moment(device.used_at),
        moment(device.expires_at),
        _known(device.ended_at),
        device.ended_because or None,
        _known(device.checked_at),
    )


def _known(at: float | None) -> Moment | None:
    return None if at is None else moment(at)


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
