"""C{/manage/admins}: who may use the management API."""

from __future__ import annotations

from msgspec import UNSET

from ...core.roles import PERMISSIONS, may
from ...errors import DuplicateAdmin
from ...management.admins import AdminRules
from ...message import Admin
from ..operations import Call, Operation, Routes
from .requests import NewAdmin
from .responses import AdminView, IssuedAdmin, Self, view_of_admin, view_of_issued_admin


class Admins:
    """What can be done with them. Nobody can change one: an admin who is to do something else gets another token."""

    def __init__(self, rules: AdminRules) -> None:
        self._rules = rules

    def routes(self) -> Routes:
        read, write = "admin.read", "admin.write"
        return {
            "/self": {
                b"GET": Operation(
                    self.who, answer=Self, needs="document.read", action="admin.self", summary="Show the caller."
                ),
            },
            "/admins": {
                b"GET": Operation(
                    self.list,
                    answer=list[AdminView],
                    needs=read,
                    action="admin.list",
                    summary="List admins, the newest first, and of the oldest none above a thousand.",
                ),
                b"POST": Operation(
                    self.create,
                    NewAdmin,
                    201,
                    answer=IssuedAdmin,
                    needs=write,
                    action="admin.create",
                    summary="Create an admin; this answer is the only one that holds the token.",
                    errors=(DuplicateAdmin,),
                ),
            },
            "/admins/{admin_id}": {
                b"GET": Operation(
                    self.show, answer=AdminView, needs=read, action="admin.read", summary="Show an admin."
                ),
                b"DELETE": Operation(self.revoke, needs=write, action="admin.revoke", summary="Revoke an admin."),
            },
        }

    async def who(self, call: Call) -> Self:
        actor = call.actor
        return Self(actor.name, actor.role, [each for each in PERMISSIONS if may(actor.role, each)])

    async def list(self, call: Call) -> list[AdminView]:
        return [view_of_admin(admin) for admin in await self._rules.list()]

    async def create(self, call: Call) -> IssuedAdmin:
        body: NewAdmin = call.body
        call.details |= {"admin_name": body.name, "role": body.role}
        lifetime = None if body.duration_minutes is UNSET else body.duration_minutes * 60.0
        admin, secret = await self._rules.create(body.name, body.role, lifetime)
        call.details["admin_id"] = admin.id
        return view_of_issued_admin(admin, secret)

    async def show(self, call: Call) -> AdminView:
        return view_of_admin(await self._named(call))

    async def revoke(self, call: Call) -> None:
        admin = await self._named(call)
        if admin.revoked_at is not None:
            call.details["already_revoked"] = True
        await self._rules.revoke(admin.id)

    async def _named(self, call: Call) -> Admin:
        """The admin of the path; what is noted of the call says who it is."""
        call.details["admin_id"] = call.path["admin_id"]
        admin = await self._rules.get(call.path["admin_id"])
        call.details["admin_name"] = admin.name
        return admin
