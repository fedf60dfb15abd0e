"""Parameters of a whitelist, as a request body holds them."""

from __future__ import annotations

from ..errors import UnsupportedMediaType
from .inspection import forms, jsonbody, multipart
from .inspection.contenttype import UTF8, MediaType
from .inspection.steps import Steps, finish
from .inspection.whitelist import SHOWN, Whitelist

inspect_query = forms.inspect_query

FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


def inspection(kind: MediaType, body: bytes, whitelist: Whitelist) -> Steps[str]:
    """
    Check the parameters in a body, in slices.

    A parameter that is absent is allowed. What cannot be read with certainty is refused, because upstream could
    read in it what the whitelist forbids.

    @param kind: L{llmproxy.core.inspection.contenttype.media_type}.
    @return: the model that it names; C{""} for none.
    @raise ParamNotAllowed: a value matches no pattern.
    @raise BadRequest: malformed, or a name stands twice.
    @raise UnsupportedMediaType: a media type or charset of which the parameters are not known.
    """
    if not body:
        return ""
    check_kind(kind)
    if kind.charset == "us-ascii" and not body.isascii():
        raise _charset(kind)
    if kind.essence == FORM:
        return (yield from forms.inspection(body, whitelist))
    if kind.essence == MULTIPART:
        return (yield from multipart.inspection(body, kind.boundary, whitelist))
    return (yield from json_inspection(body, whitelist))


def check_kind(kind: MediaType) -> None:
    """
    What can be said of a body before it is read.

    @raise UnsupportedMediaType: a media type or charset of which the parameters are not known.
    """
    # Without a media type a JSON API reads JSON.
    is_json = kind.essence in ("", "application/json", "text/json") or kind.essence.endswith("+json")
    if not is_json and kind.essence not in (FORM, MULTIPART):
        raise UnsupportedMediaType(f"parameters of '{kind.essence[:SHOWN]}' cannot be checked")
    # RFC 8259 section 8.1: JSON between systems is UTF-8; so are forms,
    # https://url.spec.whatwg.org/#application/x-www-form-urlencoded
    if kind.charset not in UTF8 and kind.charset != "us-ascii":
        raise _charset(kind)


def inspect(kind: MediaType, body: bytes, whitelist: Whitelist) -> str:
    """All of L{inspection} at once."""
    return finish(inspection(kind, body, whitelist))


def json_inspection(data: bytes, whitelist: Whitelist) -> Steps[str]:
    """Check one JSON text that has no media type: a message of a WebSocket, a line of a file."""
    return jsonbody.inspection(data, whitelist.root)


def _charset(kind: MediaType) -> UnsupportedMediaType:
    return UnsupportedMediaType(f"a body in the charset '{kind.charset[:SHOWN]}' cannot be checked: send UTF-8")
