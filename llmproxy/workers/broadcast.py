"""Management changes of one worker, told to all the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.logger import Logger

from ..message import Project, Token

Announce = Callable[[str, str], object]
"""Called with what has changed (C{token}, C{project}, C{tokens_of}) and its id."""


class BroadcastingDirectory:
    """A directory that tells the other workers what it was told."""

    def __init__(self, directory: Any, announce: Announce) -> None:
        self._directory = directory
        self._announce = announce

    def token_changed(self, token: Token) -> None:
        self._directory.token_changed(token)
        self._announce("token", token.id)

    def project_changed(self, project: Project) -> None:
        self._directory.project_changed(project)
        self._announce("project", project.id)

    def project_tokens_revoked(self, project_id: str) -> None:
        self._directory.project_tokens_revoked(project_id)
        self._announce("tokens_of", project_id)


class ChangeApplier:
    """
    Makes what another process changed effective in this one: the row is read anew.

    If it cannot be read, everything that is warm is forgotten, so that nothing old stays in use.
    """

    _log = Logger()

    def __init__(self, proxy: Any) -> None:
        self._proxy = proxy

    def heard(self, what: str, which: str) -> Deferred[None]:
        """One change."""
        return self.heard_all([(what, which)])

    def heard_all(self, changes: Sequence[tuple[str, str]]) -> Deferred[None]:
        """
        Changes in the order in which they were made.

        Rows are read as they are now, after all of these changes, so each is read once. What is said of all tokens
        of a project comes before them: one of those may have been activated again.
        """
        latest = list(dict.fromkeys(changes))
        for what, which in latest:
            if what == "tokens_of":
                self._proxy.directory.project_tokens_revoked(which)
        reading = [Deferred.fromCoroutine(self._read(*each)) for each in latest if each[0] != "tokens_of"]
        return gatherResults(reading, consumeErrors=True).addCallbacks(lambda _: None, self._failed)

    async def lost_track(self) -> None:
        """It is not known what was changed: nothing that is known is used further."""
        proxy = self._proxy
        proxy.directory.forget()
        tokens, projects = proxy.directory.watched()
        await self.heard_all([("project", each) for each in projects] + [("token", each) for each in tokens])
        await proxy.quota.settle_all()

    async def _read(self, what: str, which: str) -> None:
        proxy = self._proxy
        if what == "project":
            project = await proxy.database.projects.get(which)
            if project is not None:
                proxy.directory.project_changed(project)
        elif what == "token":
            token = await proxy.database.tokens.get(which)
            if token is not None:
                proxy.directory.token_changed(token)
                await proxy.quota.settle(which)

    def _failed(self, reason: Any) -> None:
        reason = reason.value.subFailure if reason.check(FirstError) else reason
        self._log.failure("a change that another process made could not be read; everything is asked anew", reason)
        self._proxy.directory.forget()
