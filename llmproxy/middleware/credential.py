"""Credentials: those of the client go out, the key that was chosen for this attempt goes in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from ..core.credentials import without_keys
from ..core.fields import LOWER
from ..core.notable import KEY_FIELDS, OFFER, Known, Section, notable_of
from ..core.subprotocols import without_secret
from ..core.targets import QUERY
from ..errors import UpstreamAuthError

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse, Field
    from ..origin import CredentialPlace


_PLACES = KEY_FIELDS | {OFFER}


class Credential:
    """
    No credential that a client sent gets further than this: not the token, and not another one beside it.
    """

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        upstream, key, api = request.upstream, request.key, request.route.api
        place, fields = upstream.credential, request.fields
        known = fields.known if type(fields) is Section else None
        derived: Known | None = None
        if known is not None:
            derived = known.facts.get((upstream, key, api.key_fields))
        if derived is not None and type(fields) is Section:
            request.fields = derived.section(fields.length)
        else:
            if place.kind != "none":
                if not key:
                    raise UpstreamAuthError("the project's upstream key cannot be read")
                if not (key.isascii() and key.isprintable()):
                    # A line break in it would begin another header field.
                    raise UpstreamAuthError("the project's upstream key is not usable")
            request.fields = with_credential(fields, place, key.encode("ascii"), api.key_fields)
            if known is not None:
                known.derive((upstream, key, api.key_fields), request.fields)
        if place.kind == "query" or QUERY in request.target:
            request.target = with_query_key(request.target, api.query_keys, place, key)
        return inner(request)


def with_credential(
    fields: list[Field], place: CredentialPlace, key: bytes, key_fields: frozenset[bytes]
) -> list[Field]:
    """
    The fields with the project's key as their only credential, where the client's first one stood; with none where
    the API takes none.

    @param key_fields: where upstreams of the API want their key, C{place} among them: what a client has put there for
        one of them is for none.
    """
    sent = notable_of(fields).credentials
    if len(sent) != 1 or place.kind != "header" or not key_fields <= KEY_FIELDS or sent[0][0] == OFFER:
        return rebuilt(fields, place, key, key_fields)
    # What nearly every request is: one credential, and one takes its place.
    kept = [*fields]
    kept[kept.index(sent[0][1])] = (place.name, place.prefix + key)
    return kept


def rebuilt(fields: list[Field], place: CredentialPlace, key: bytes, key_fields: frozenset[bytes]) -> list[Field]:
    """See L{with_credential}, which knows a shorter way for most requests."""
    lower = LOWER
    name = place.name if place.kind == "header" else b""
    kept: list[Field] = []
    at = -1
    for pair in fields:
        lowered = lower[pair[0]]
        if lowered in _PLACES or lowered in key_fields:
            rest = without_secret(pair) if lowered == OFFER else None
            if rest is not None:
                kept.append(rest)
            elif at < 0:
                at = len(kept)
        else:
            kept.append(pair)
    if name:
        kept.insert(len(kept) if at < 0 else at, (place.name, place.prefix + key))
    return kept


def with_query_key(target: bytes, names: frozenset[bytes], place: CredentialPlace, key: str) -> bytes:
    """
    The target without the client's credentials, its other bytes untouched; with the project's where it belongs.

    @param names: the parameters that the API may take a key in.
    """
    target = without_keys(target, names)
    if place.kind != "query":
        return target
    path, _, query = target.partition(b"?")
    parts = [part for part in query.split(b"&") if part]
    parts.append(place.name + b"=" + place.prefix + quote(key, safe="-._~").encode())
    return path + b"?" + b"&".join(parts)
