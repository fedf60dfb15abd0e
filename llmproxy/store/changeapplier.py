"""The applier of changes that other processes made: what is kept warm here is read anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.logger import Logger

if TYPE_CHECKING:
    from ..interfaces import IProjectStore, ITokenStore
    from .directory import Directory
    from .leases import LeasedQuota


class ChangeApplier:
    """
    Makes what another process changed effective in this one: the row is read anew.

    If it cannot be read, everything that is warm is forgotten, so that nothing old stays in use.
    """

    _log = Logger()

    def __init__(self, directory: Directory, tokens: ITokenStore, projects: IProjectStore, quota: LeasedQuota) -> None:
        self._directory = directory
        self._tokens = tokens
        self._projects = projects
        self._quota = quota

    def heard(self, what: str, which: str) -> Deferred[None]:
        """One change."""
        return self.heard_all([(what, which)])

    def heard_all(self, changes: Sequence[tuple[str, str]]) -> Deferred[None]:
        """
        Changes in the order in which they were made.

        Rows are read as they are now, after all of these changes, so each is read once. What is said of all tokens
        of a project or a person comes before them: one of those may have been activated again.
        """
        latest = list(dict.fromkeys(changes))
        for what, which in latest:
            if what == "tokens_of":
                self._directory.project_tokens_revoked(which)
            elif what == "person_out":
                self._directory.person_revoked(which)
        reading = [Deferred.fromCoroutine(self._read(*each)) for each in latest]
        return gatherResults(reading, consumeErrors=True).addCallbacks(lambda _: None, self._failed)

    async def lost_track(self) -> None:
        """It is not known what was changed: nothing that is known is used further."""
        self._directory.forget()
        tokens, projects = self._directory.watched()
        await self.heard_all([("project", each) for each in projects] + [("token", each) for each in tokens])
        await self._quota.settle_all()

    async def _read(self, what: str, which: str) -> None:
        if what == "project":
            project = await self._projects.get(which)
            if project is not None:
                self._directory.project_changed(project)
        elif what == "token":
            token = await self._tokens.get(which)
            if token is not None:
                self._directory.token_changed(token)
                await self._quota.settle(which)

    def _failed(self, reason: Any) -> None:
        reason = reason.value.subFailure if reason.check(FirstError) else reason
        self._log.failure(
            "a change of another process could not be read; all tokens and projects are read again", reason
        )
        self._directory.forget()
