"""Attribution: what requests say of themselves, noted in their records, and no further than here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..apisettings import AttributionSettings
from ..bodies import BytesBody, Tap
from ..core.attributing.attribution import Hashing, kept, with_said
from ..core.attributing.programs import program_of
from ..core.attributing.said import LONGEST_PARSED, Members, MembersReader, members_in, said_in
from ..core.attributing.tags import tags_of
from ..core.fields import MEDIA_TYPES, first, without
from ..core.inspection.contenttype import content_codings
from ..core.notable import CAPTURE, SESSION_FIELDS, TAGS, Notable, Section, section_of
from ..errors import InvalidTags, ProxyError
from ..record import Attribution

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.web.iweb import IBodyProducer

    from ..core.inspection.steps import Steps
    from ..interfaces import Responder
    from ..message import Api, ApiRequest, ApiResponse, Field, Record
    from ..net.slices import Slices

_MOST_PROGRAMS = 512
_LONGEST_PROGRAM = 256

_OURS = frozenset({TAGS, CAPTURE})
"""What is said to us, and to nobody further in."""
_NOTHING = Attribution()


class _Programs(dict[str, "Attribution | None"]):
    """By C{User-Agent}, what is noted of a request that says nothing else: one look for most."""

    def __init__(self, own: frozenset[str]) -> None:
        super().__init__()
        self._own = own

    def __missing__(self, user_agent: str) -> Attribution | None:
        program = program_of(user_agent, self._own)
        found = Attribution(program=program) if program else None
        if len(user_agent) <= _LONGEST_PROGRAM:
            if len(self) >= _MOST_PROGRAMS:
                self.clear()
            self[user_agent] = found
        return found


class Attribute:
    """
    Notes for whom and for what something is asked. Nothing is believed of it, and nothing is decided by it.

    C{X-LLMProxy-Tags} and C{X-LLMProxy-Capture} go no further, wherever the request goes. Tags that cannot be read, or
    that have names which may not be used, are refused: they would be missed in a report.

    @param apis: with C{settings.attribution}; C{None} there notes nothing.
    @param slices: does what takes long a little at a time; the request does not wait for it.
    """

    def __init__(self, apis: Iterable[Api], hashing: Hashing, slices: Slices) -> None:
        self._hashing = hashing
        self._slices = slices
        self._programs = {
            api.name: _Programs(api.settings.attribution.programs)
            for api in apis
            if api.settings.attribution is not None
        }

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        fields = request.fields
        # As notable_of does, without its call: nearly every request comes here, and leaves at once.
        notable = fields.notable if type(fields) is Section else None
        said = (notable or Notable(fields)).attributing
        settings = request.route.api.settings.attribution
        if settings is None:
            if said is not None:
                request.fields = _without_ours(fields)
            return inner(request)
        record = request.record
        known = record.attribution = self._programs[request.route.api.name][record.user_agent]
        if said is not None:
            known = self._of_fields(request, settings, known or _NOTHING, said)
        if request.body is not None and settings.reads_bodies:
            self._of_body(request, request.body, _Asking(record, known or _NOTHING, settings, self._hashing))
        return inner(request)

    def _of_fields(
        self, request: ApiRequest, settings: AttributionSettings, known: Attribution, said: list[Field]
    ) -> Attribution:
        by_name = dict(reversed(said))
        session = next((value for name in SESSION_FIELDS if (value := by_name.get(name))), b"")
        tags = [value for name, value in said if name == TAGS]
        found = Attribution(
            session=session.decode("utf-8", "replace"),
            program=known.program,
            tags=_tags(tags, _allowed(settings, request)) if tags else {},
        )
        if tags or CAPTURE in by_name:
            request.fields = _without_ours(request.fields)
        request.record.attribution = kept(found, settings.hashed, self._hashing)
        return found

    def _of_body(self, request: ApiRequest, body: IBodyProducer, asking: _Asking) -> None:
        content = body.content if isinstance(body, BytesBody) else None
        if content is not None and len(content) <= LONGEST_PARSED:
            members = members_in(content)
            if members is not None:
                asking.found(members)
                return
        elif MEDIA_TYPES[first(request.fields, b"content-type") or b""] not in _JSON:
            return
        try:
            reading = _Reading(MembersReader(asking.found, content_codings(request.fields)))
        except ProxyError:
            # In a coding that cannot be undone here.
            return
        if content is None:
            request.body = Tap(body, reading.seen)
        else:
            self._slices.run(_in_pieces(reading, content, request.record))


class _Asking:
    """
    One request whose body is read.

    @param known: what its fields say.
    """

    __slots__ = ("_hashing", "_known", "_record", "_settings")

    def __init__(self, record: Record, known: Attribution, settings: AttributionSettings, hashing: Hashing) -> None:
        self._record = record
        self._known = known
        self._settings = settings
        self._hashing = hashing

    def found(self, members: Members) -> None:
        record = self._record
        if record.sealed:
            # What comes now has not been masked.
            return
        said = said_in(members)
        record.model = record.model or said.model
        if said.user or said.session or said.metadata:
            record.attribution = kept(with_said(self._known, said), self._settings.hashed, self._hashing)


class _Reading:
    """A body that is read as it passes; what goes wrong in it hurts no request."""

    __slots__ = ("_reader",)

    def __init__(self, reader: MembersReader) -> None:
        self._reader: MembersReader | None = reader

    def seen(self, data: bytes) -> None:
        if self._reader is not None:
            try:
                self._reader.feed(data)
            except Exception:
                self._reader = None


def _in_pieces(reading: _Reading, content: bytes, record: Record) -> Steps[None]:
    at = 0
    while at < len(content) and not record.sealed:
        reading.seen(content[at : at + LONGEST_PARSED])
        at += LONGEST_PARSED
        yield


_JSON = frozenset({b"application/json", b""})


def _without_ours(fields: list[Field]) -> list[Field]:
    return section_of(without(fields, _OURS))


def _allowed(settings: AttributionSettings, request: ApiRequest) -> frozenset[str] | None:
    """The names that a request may use; C{None} for all."""
    if settings.tags is None:
        return None
    project = request.principal.project
    own = settings.project_tags
    return settings.tags.union(own.get(project.name, ()), own.get(project.id, ()))


def _tags(values: list[bytes], allowed: frozenset[str] | None) -> dict[str, str]:
    try:
        return tags_of(values, allowed)
    except ValueError as error:
        raise InvalidTags(str(error)) from None
