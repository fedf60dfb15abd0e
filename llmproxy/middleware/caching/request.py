"""What goes to upstream in place of a client's own request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...bodies import BytesBody
from ...core.caching.conditional import validating
from ...message import ApiRequest, Record

if TYPE_CHECKING:
    from ...core.caching.entry import Entry
    from ...message import InterimSink
    from .lookup import Lookup


def request_for(
    query: Lookup, asks_for: Entry | None, on_interim: InterimSink | None, now: float, *, background: bool
) -> ApiRequest:
    """
    A request of its own: what is further in changes it, and writes into its record.

    @param asks_for: what upstream is asked whether it is still good.
    """
    asked = query.request
    request = ApiRequest(
        query.key.method,
        asked.target,
        asked.fields if asks_for is None else validating(asked.fields, asks_for),
        BytesBody(query.content) if query.content else None,
        _record(asked.record, now, background=background),
        asked.version,
        asked.client,
        asked.secure,
        on_interim if asked.on_interim is not None else None,
    )
    request.route = asked.route
    request.principal = asked.principal
    request.model = asked.model
    return request


def _record(known: Record, now: float, *, background: bool) -> Record:
    record = Record(known.request_id, known.method, known.path, known.client, now, known.user_agent)
    record.api, record.endpoint = known.api, known.endpoint
    record.project_id, record.token_id = known.project_id, known.token_id
    if background:
        record.method, record.details = "GET", {"background": "revalidation"}
    return record


def tell_details(record: Record, query: Lookup) -> None:
    """What was found out of an answer on its way, the usage for example, belongs to who asked for it."""
    if record.details:
        mine = query.request.record
        mine.details = {**(mine.details or {}), **record.details}
