"""Lists of models by group, as Claude Code and Codex read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from ...core.agentgroups import first_for
from ...core.agentmodels import ShownModel
from ...errors import NotFound
from ..answerresource import AnswerResource, WholeAnswer
from .etags import is_known

if TYPE_CHECKING:
    from twisted.web.server import Request

    from ...config.agents import AgentModelsConfig
    from ...message import Principal
    from .access import Access

Shape = Callable[[Sequence[ShownModel]], bytes]


class AgentModels(AnswerResource):
    """
    The first entry whose groups fit, and of it what the token and its project may use; 404 where none fits, so that the
    client keeps to its own list.

    @param entries: gives those that are configured now.
    @param allows: whether somebody may use a model, by the limits of their token and project.
    @param shape: makes the list.
    """

    def __init__(
        self,
        access: Access,
        entries: Callable[[], Sequence[AgentModelsConfig]],
        allows: Callable[[Principal, str], bool],
        shape: Shape,
        dialect: str = "anthropic",
    ) -> None:
        super().__init__(dialect)
        self._access = access
        self._entries = entries
        self._allows = allows
        self._shape = shape

    async def answer(self, request: Request) -> WholeAnswer:
        principal, caller = await self._access.caller(request)
        entry = first_for(self._entries(), caller.groups)
        if entry is None:
            raise NotFound(message="no list of models is for you")
        shown = [
            ShownModel(each.id, each.display_name, each.details)
            for each in entry.models
            if self._allows(principal, each.id)
        ]
        content = self._shape(shown)
        tag = b'"%b"' % sha256(content).hexdigest()[:32].encode()
        fields = ((b"ETag", tag), (b"Cache-Control", b"private, no-cache"))
        if is_known(request, tag):
            return WholeAnswer(304, fields=fields)
        return WholeAnswer(content=content, fields=fields)
