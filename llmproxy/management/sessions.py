"""Rules of sessions: sign in, list, end."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import evolve

from ..core.sessions import is_over, new_session
from ..errors import Forbidden, NotFound
from ..message import Admin, Session

if TYPE_CHECKING:
    from ..interfaces import ISessionStore

Known = tuple[Session, Admin | None]
"""A session, and who it is of; C{None} for the holder of the management token."""


class SessionRules:
    """
    @param seconds: the time, since the epoch.
    @param management_digest: SHA-256 of the management token.
    """

    def __init__(self, seconds: Callable[[], float], management_digest: bytes, sessions: ISessionStore) -> None:
        self._seconds = seconds
        self._digest = management_digest
        self._sessions = sessions

    async def begin(
        self,
        admin: Admin | None,
        kept: bool,
        client: str,
        agent: str,
        provider_session: str | None = None,
        id_token: str | None = None,
    ) -> tuple[Session, str]:
        """
        A new session, and the secret that its browser shows.

        @param admin: who signs in; C{None} for the holder of the management token.
        @param kept: whether it should outlive the browser.
        @param provider_session: what the identity provider calls its own, where somebody signed in by one.
        @param id_token: what that wants to see when they sign out, sealed.
        """
        session, secret = new_session(
            os.urandom,
            self._seconds(),
            kept=kept,
            admin=admin,
            management_digest=self._digest,
            client=client,
            agent=agent,
        )
        session = evolve(session, provider_session=provider_session, id_token=id_token)
        await self._sessions.create(session)
        return session, secret

    async def list(self, admin_id: str | None = None) -> list[Known]:
        """Those that have not ended, of one admin or of all; see L{llmproxy.interfaces.ISessionStore.list}."""
        now = self._seconds()
        return [pair for pair in await self._sessions.list(admin_id) if not is_over(*pair, now)]

    async def get(self, session_id: str) -> Known:
        """
        @raise NotFound: there is none.
        """
        found = await self._sessions.get(session_id)
        if found is None:
            raise NotFound(message="session not found")
        return found

    async def end(self, session_id: str, admin_id: str, everybody: bool) -> Known:
        """
        End a session, from the next request on.

        @param admin_id: who ends it.
        @param everybody: whether they may end those of others.
        @raise NotFound: there is none.
        @raise Forbidden: it is somebody else's.
        """
        session, admin = await self.get(session_id)
        if session.admin_id != admin_id and not everybody:
            raise Forbidden("it is the session of somebody else")
        await self._sessions.end(session_id)
        return session, admin

    async def end_all(self, admin_id: str | None) -> int:
        """End all sessions of one admin, or of all; how many there were."""
        return await self._sessions.end_all(admin_id)
