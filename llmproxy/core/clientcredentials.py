"""
Credentials of clients: what a client has sent for an upstream itself, beside our token, as subscriptions need.

One is taken only from the place where its upstream wants it, and never where it is, or holds, one of our tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ..errors import AmbiguousCredentials, Unauthorized
from .credentials import keys_for
from .tokens import decoded, secret_of

if TYPE_CHECKING:
    from ..message import Api, ApiRequest, Project
    from ..origin import CredentialPlace, Upstream

_TOKEN = re.compile(rb"(?<![A-Za-z0-9_-])sk-[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])")
"""A token of ours by itself or in something else: see L{llmproxy.core.tokens.is_well_formed}."""

_NONE: Mapping[Upstream, str] = {}


class ClientCredentialMissing(Unauthorized):
    """The upstream is asked with the caller's own credential, and none was sent beside our token."""

    code, message = "credential_missing", "Your own credential for this API is missing (credential_missing)"


def credentials_for(request: ApiRequest) -> Mapping[Upstream, str]:
    """
    What a client has sent for the upstreams of the API that it asks, each without the prefix of its place.

    @param request: as it came, before keys of ours stand in those places.
    @raise AmbiguousCredentials: there are two different ones for the same upstream.
    """
    api = request.route.api
    upstreams = [upstream for upstream in api.upstreams if upstream.key_source == "client"]
    if not upstreams:
        return _NONE
    token = secret_of(
        request.fields,
        request.target,
        offers=request.upgrade != b"",
        key_fields=api.key_fields,
        query_keys=api.query_keys,
    )
    found = {upstream: _credential(request, upstream.credential, token) for upstream in upstreams}
    return {upstream: credential for upstream, credential in found.items() if credential}


def check_brought(api: Api, project: Project, brought: Mapping[Upstream, str]) -> None:
    """
    @raise ClientCredentialMissing: the API can only be asked with a credential of the client's, and there is none.
    """
    if brought:
        return
    wanted = [upstream for upstream in api.upstreams if upstream.key_source == "client"]
    others = (upstream for upstream in api.upstreams if upstream.key_source != "client")
    if wanted and not any(each.credential.kind == "none" or keys_for(api, each, project) for each in others):
        place = wanted[0].credential
        where = f"the parameter {place.name.decode()}" if place.kind == "query" else place.name.decode()
        raise ClientCredentialMissing(f"send it in {where}, and the token of this proxy in X-LLMProxy-Token")


def _credential(request: ApiRequest, place: CredentialPlace, token: bytes) -> str:
    values = _in_query(request.target, place) if place.kind == "query" else _in_fields(request, place)
    found = {value for value in values if value and not _is_ours(value, token)}
    if len(found) > 1:
        raise AmbiguousCredentials("two different credentials for the same upstream: send one of them")
    value = found.pop() if found else b""
    text = value.decode("latin-1")
    return text if text.isascii() and text.isprintable() else ""


def _is_ours(value: bytes, token: bytes) -> bool:
    return token in value or _TOKEN.search(value) is not None


def _in_fields(request: ApiRequest, place: CredentialPlace) -> Iterator[bytes]:
    name = place.name.lower()
    return (_without_prefix(value, place) for each, value in request.fields if each.lower() == name)


def _in_query(target: bytes, place: CredentialPlace) -> Iterator[bytes]:
    name = place.name.lower()
    pairs = (pair.partition(b"=") for pair in target.partition(b"?")[2].split(b"&"))
    return (_without_prefix(decoded(value), place) for each, _, value in pairs if decoded(each).lower() == name)


def _without_prefix(value: bytes, place: CredentialPlace) -> bytes:
    """C{b""} for what has another scheme; the name of a scheme is the same in any case, RFC 9110 section 11.1."""
    prefix = place.prefix
    if value[: len(prefix)].lower() != prefix.lower():
        return b""
    return value[len(prefix) :].strip(b" \t")
