"""Audit events of the management API: one for every call."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from msgspec import UNSET, Struct, to_builtins
from msgspec.structs import fields

from ...core.identifiers import good_id
from ...core.masking import Masking
from ..clientaddress import client_of
from ..clientcertificate import NAME, certificate_of
from ..operations import Call

_MASKING = Masking()

_FORWARDED = {
    b"x-forwarded-user-agent": "forwarded_user_agent",
    b"x-forwarded-referer": "forwarded_referer",
}
"""What an interface in front tells of the browser behind it."""


def name_call(call: Call) -> None:
    """Give a call the ids that its caller sent, or one of our own; the answer has them too."""
    call.request_id = _id(call.request, b"x-request-id") or str(uuid4())
    call.correlation_id = _id(call.request, b"x-correlation-id")
    call.fields += [(name, call.request_id.encode("ascii")) for name in (b"X-Request-ID", b"request-id")]
    if call.correlation_id:
        call.fields.append((b"X-Correlation-ID", call.correlation_id.encode("ascii")))


def noted(call: Call) -> dict[str, object]:
    """
    Who called, from where, and what; of a change, the fields and their new values, secrets masked.

    What an interface says of those behind it is only noted if it was let in, and beside what is known, not for it.
    """
    request = call.request
    details: dict[str, object] = {
        "http_method": request.method.decode("latin-1"),
        "endpoint": request.uri.partition(b"?")[0].decode("latin-1"),
        "request_id": call.request_id,
        "correlation_id": call.correlation_id,
        "client_ip": client_of(request),
        "user_agent": _text(request, b"user-agent"),
        NAME: certificate_of(request),
    }
    if call.actor is not None:
        details |= {name: _text(request, field) for field, name in _FORWARDED.items()}
        if _text(request, b"x-admin-origin") == "1":
            details["origin"] = "admin-ui"
        if request.method == b"PATCH" and call.body is not None:
            details["changed"] = _MASKING.values(_given(call.body))
    return {name: value for name, value in details.items() if value}


def _given(body: Struct) -> dict[str, Any]:
    """What a change asks for, by field; C{None} where that is not the same as not given."""
    values: dict[str, Any] = to_builtins(body)
    defaults = {each.name: each.default for each in fields(body)}
    return {name: value for name, value in values.items() if value not in (None, []) or defaults[name] is UNSET}


def _id(request: Any, name: bytes) -> str:
    value = request.getHeader(name)
    return good_id(value) if value else ""


def _text(request: Any, name: bytes) -> str:
    return (request.getHeader(name) or b"").decode("utf-8", "replace")
