"""C{/manage/admins}: who may use the management API."""

from __future__ import annotations

import os

from msgspec import UNSET

from ...core.admintokens import RESERVED, new_admin
from ...core.roles import PERMISSIONS, may
from ...errors import DuplicateAdmin, NotFound
from ...message import Admin
from ..operations import Call, Operation, Routes
from .context import Parts
from .requests import NewAdmin
from .responses import AdminView, IssuedAdmin, Self, view_of_admin, view_of_issued_admin


class Admins:
    """What can be done with them. Nobody can change one: whoever is to do something else gets another token."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def routes(self) -> Routes:
        read, write = "admin.read", "admin.write"
        return {
            "/self": {
                b"GET": Operation(
                    self.who, answer=Self, needs="document.read", action="admin.self", summary="Show who asks."
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
        return [view_of_admin(admin) for admin in await self._parts.admins.list()]

    async def create(self, call: Call) -> IssuedAdmin:
        wanted: NewAdmin = call.body
        call.details |= {"admin_name": wanted.name, "role": wanted.role}
        if wanted.name.lower() in RESERVED:
            raise DuplicateAdmin("the audit log has this name for others")
        admin, secret = new_admin(
            wanted.name,
            wanted.role,
            os.urandom,
            self._parts.state.seconds(),
            None if wanted.duration_minutes is UNSET else wanted.duration_minutes * 60.0,
        )
        await self._parts.admins.create(admin)
        call.details["admin_id"] = admin.id
        return view_of_issued_admin(admin, secret)

    async def show(self, call: Call) -> AdminView:
        return view_of_admin(await self._existing(call))

    async def revoke(self, call: Call) -> None:
        admin = await self._existing(call)
        if admin.revoked_at is not None:
            call.details["already_revoked"] = True
        await self._parts.admins.revoke(admin.id)

    async def _existing(self, call: Call) -> Admin:
        admin_id = call.path["admin_id"]
        call.details["admin_id"] = admin_id
        admin = await self._parts.admins.get(admin_id)
        if admin is None:
            raise NotFound(message="admin not found")
        call.details["admin_name"] = admin.name
        return admin
