"""Rules of admins: create and revoke. None is changed: to do something else one gets another token."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.admintokens import RESERVED, new_admin
from ..errors import DuplicateAdmin, NotFound
from ..message import Admin, Role
from .checks import MAX_ADMIN_MINUTES, check_admin_name, check_duration

if TYPE_CHECKING:
    from ..interfaces import IAdminStore


class AdminRules:
    """
    @param seconds: the time, since the epoch.
    """

    def __init__(self, seconds: Callable[[], float], admins: IAdminStore) -> None:
        self._seconds = seconds
        self._admins = admins

    async def list(self) -> list[Admin]:
        """Those who were created last, the newest first; see L{IAdminStore.list}."""
        return await self._admins.list()

    async def create(self, name: str, role: Role, lifetime: float | None = None) -> tuple[Admin, str]:
        """
        A new admin and their token, which is stored nowhere.

        @param lifetime: seconds; C{None} is until they are revoked.
        @raise BadRequest: the name could be taken for more than one, or C{lifetime} is out of bounds.
        @raise DuplicateAdmin: one who is not revoked has this name, or the audit log has it for others.
        """
        check_admin_name(name)
        if lifetime is not None:
            check_duration(lifetime, MAX_ADMIN_MINUTES)
        if name.lower() in RESERVED:
            raise DuplicateAdmin("the audit log has this name for others")
        admin, secret = new_admin(name, role, os.urandom, self._seconds(), lifetime)
        await self._admins.create(admin)
        return admin, secret

    async def get(self, admin_id: str) -> Admin:
        """
        @raise NotFound: there is none.
        """
        admin = await self._admins.get(admin_id)
        if admin is None:
            raise NotFound(message="admin not found")
        return admin

    async def revoke(self, admin_id: str) -> None:
        """End what an admin may do, from their next call on, and free the name. Idempotent."""
        await self._admins.revoke(admin_id)
