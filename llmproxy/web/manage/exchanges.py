"""Operations on exchanges that run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from ...errors import NotFound
from ..operations import Call, NoQuery, Operation, Routes

if TYPE_CHECKING:
    from ...management.exchanges import ExchangeRules


class ExchangeView(Struct):
    """An exchange that runs."""

    id: Annotated[str, Meta(description="The request id.")]
    age: Annotated[float, Meta(description="Seconds since it began.")]
    api: str
    upstream: str
    endpoint: str
    method: str
    model: str
    project_id: str
    token_id: str
    person_id: Annotated[str, Meta(description="Whose token it is, where somebody got it by signing in.")]
    session: Annotated[str, Meta(description="What it belongs to, as the program says: of a coding agent for example.")]
    client: str
    status: Annotated[int | None, Meta(description="null until the answer begins.")]
    streamed: bool
    bytes_in: int
    bytes_out: int
    attempts: int


class ExchangesView(Struct):
    total: Annotated[int, Meta(description="All that run, in all workers, of those that are asked for.")]
    exchanges: Annotated[list[ExchangeView], Meta(description="Those that run longest, 500 at most.")]


class ExchangeFilter(NoQuery, forbid_unknown_fields=True):
    person: Annotated[str, Meta(max_length=64, description="The id of a person: only theirs.")] = ""
    session: Annotated[str, Meta(max_length=512, description="Only those that belong to it.")] = ""


class CutView(Struct):
    cut: Annotated[int, Meta(description="How many had this id: clients may choose theirs.")]


class ExchangeRoutes:
    def __init__(self, rules: ExchangeRules) -> None:
        self._rules = rules

    def routes(self) -> Routes:
        return {
            "/exchanges": {
                b"GET": Operation(
                    self.list,
                    query=ExchangeFilter,
                    answer=ExchangesView,
                    needs="exchange.read",
                    action="exchange.list",
                    summary="List the exchanges that run now, in all workers.",
                ),
            },
            "/exchanges/{request_id}": {
                b"DELETE": Operation(
                    self.cut,
                    answer=CutView,
                    needs="exchange.cut",
                    action="exchange.cut",
                    summary="Cut an exchange: its client gets no more of it.",
                    errors=(NotFound,),
                ),
            },
        }

    async def list(self, call: Call) -> ExchangesView:
        query: ExchangeFilter = call.query
        found = await self._rules.running(query.person, query.session)
        return ExchangesView(found["total"], [ExchangeView(**each) for each in found["exchanges"]])

    async def cut(self, call: Call) -> CutView:
        return CutView(await self._rules.cut(call.path["request_id"]))
