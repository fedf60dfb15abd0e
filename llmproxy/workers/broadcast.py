"""Management changes of one worker, passed on to all the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..message import Project, Token

if TYPE_CHECKING:
    from ..management.state import KeepsTokens

Announce = Callable[[str, str], object]
"""Called with what has changed (C{token}, C{project}, C{tokens_of}, C{person_out}) and its id."""


class BroadcastingDirectory:
    """A directory that passes on its changes to the other workers."""

    def __init__(self, directory: KeepsTokens, announce: Announce) -> None:
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

    def person_revoked(self, person_id: str) -> None:
        self._directory.person_revoked(person_id)
        self._announce("person_out", person_id)
