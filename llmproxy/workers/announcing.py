"""Management changes of one worker, told to all the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..message import Project, Token

Announce = Callable[[str, str], object]
"""Called with what has changed (C{token}, C{project}, C{tokens_of}) and its id."""


class Announcing:
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


class Hearing:
    """
    Makes what another worker announced effective in this one: the row is read anew.

    If it cannot be read, everything that is warm is forgotten, so that nothing old stays in use.
    """

    _log = Logger()

    def __init__(self, proxy: Any) -> None:
        self._proxy = proxy

    def heard(self, what: str, which: str) -> Deferred[None]:
        return Deferred.fromCoroutine(self._heard(what, which)).addErrback(self._failed)

    async def _heard(self, what: str, which: str) -> None:
        proxy = self._proxy
        if what == "tokens_of":
            proxy.directory.project_tokens_revoked(which)
        elif what == "project":
            project = await proxy.database.projects.get(which)
            if project is not None:
                proxy.directory.project_changed(project)
        else:
            token = await proxy.database.tokens.get(which)
            if token is not None:
                proxy.directory.token_changed(token)
                await proxy.quota.settle(which)

    def _failed(self, reason: Any) -> None:
        self._log.failure("a change that another worker made could not be read; everything is asked anew", reason)
        self._proxy.directory.forget()
