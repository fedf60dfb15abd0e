"""The model of a JSON request that is on its way, read from a copy of its bytes as they go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..bodies import BytesBody, Tap
from ..core.attributing.said import Members, MembersReader
from ..core.fields import first
from ..core.inspection.contenttype import content_codings
from ..core.models import named
from ..errors import ProxyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..message import ApiRequest
    from ..record import Record


def watch_json(request: ApiRequest) -> None:
    """
    Have C{request.record.model} filled in while a body goes on that names one. One that is here is read where its
    answer is; one that L{llmproxy.middleware.attribution.Attribute} reads needs not be read twice.
    """
    body, settings = request.body, request.route.api.settings.attribution
    if body is None or isinstance(body, BytesBody) or (settings is not None and settings.reads_bodies):
        return
    if b"json" not in (first(request.fields, b"content-type") or b"json").lower():
        return
    try:
        watch = _Watch(request.record, content_codings(request.fields))
    except ProxyError:
        # In a coding that cannot be undone here.
        return
    request.body = Tap(body, watch.seen)


class _Watch:
    """One body; what goes wrong in reading it hurts no request."""

    __slots__ = ("_reader", "_record")

    def __init__(self, record: Record, codings: tuple[bytes, ...]) -> None:
        self._record = record
        self._reader: MembersReader | None = MembersReader(_noting(record), codings)

    def seen(self, data: bytes) -> None:
        if self._reader is None:
            return
        try:
            self._reader.feed(data)
        except Exception:
            self._reader = None
        if self._record.model:
            self._reader = None


def _noting(record: Record) -> Callable[[Members], None]:
    def note(members: Members) -> None:
        record.model = record.model or named(members.model)

    return note
