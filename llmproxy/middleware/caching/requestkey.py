"""
Keys of bare requests, for a cache or a log of an application's own: texts that tell requests apart as the reference's
do, with its ambiguities closed.

The proxy's own cache has keys of its own kind (L{llmproxy.core.caching.key}): it tells tenants apart always, and takes
the target as it came.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING

from ...bodies import BytesBody
from ...core import fields as sections
from ...core.caching.control import parse

if TYPE_CHECKING:
    from ...message import ApiRequest

_USUAL = (b"accept", b"accept-encoding", b"accept-language")
"""What tells variants apart where C{Vary} says nothing."""

_WITH_LIFETIME = frozenset((b"POST", b"PUT", b"PATCH"))


def cache_key_from_request(request: ApiRequest) -> str:
    """
    The key that a request is looked up by: 64 hexadecimal digits.

    It is made of the method, the path as it was sent, the parameters of the query (their order says nothing, but that
    of one's values does), C{Accept}, C{Accept-Encoding} and C{Accept-Language}, the body of a request that has it at
    hand (C{X-Body-Hash} of another), and the lifetime that a POST asks for. Where the API and the caller are known,
    they are part of it.
    """
    return _key(request, _USUAL)


def cache_key_from_request_with_vary(request: ApiRequest, vary: str | bytes) -> str:
    """
    The key that an answer with the field C{Vary} is stored by.

    @param vary: the value of the field, names in any case. An empty one and C{*} give L{cache_key_from_request}.
    """
    value = vary.encode("latin-1", "replace") if isinstance(vary, str) else vary
    names = set(sections.list_members([(b"Vary", value)], b"vary")) - {b""}
    return _key(request, _USUAL if not names or b"*" in names else sorted(names))


def _key(request: ApiRequest, names: Iterable[bytes]) -> str:
    parts = [*_scope(request), request.method, *_target(request.target)]
    for name in names:
        lines = sections.values(request.fields, name)
        if lines:
            parts += (b"field", name, b",".join(line.strip(b" \t") for line in lines))
    parts += (*_body(request), *_lifetime(request))
    return sha256(b"".join(b"%d:%s," % (len(part), part) for part in parts)).hexdigest()


def _scope(request: ApiRequest) -> Iterable[bytes]:
    route, principal = request.route_if_found, request.principal_if_known
    yield b"" if route is None else route.api.space.encode()
    yield b"" if principal is None else principal.project.id.encode()


def _target(target: bytes) -> Iterable[bytes]:
    path, _, query = target.partition(b"?")
    parameters = [part.partition(b"=") for part in query.split(b"&") if part]
    yield path
    # The sort is stable: of the values of one parameter none overtakes another.
    for name, equals, value in sorted(parameters, key=lambda parameter: parameter[0]):
        yield name + equals + value


def _body(request: ApiRequest) -> Iterable[bytes]:
    if isinstance(request.body, BytesBody):
        yield from (b"body", sha256(request.body.content).digest())
    else:
        for claimed in sections.values(request.fields, b"x-body-hash"):
            yield from (b"claimed", claimed)


def _lifetime(request: ApiRequest) -> Iterable[bytes]:
    if request.method not in _WITH_LIFETIME:
        return
    control = parse(sections.values(request.fields, b"cache-control"))
    if control.public and control.s_maxage:
        yield b"smax=%d" % control.s_maxage
    elif control.public and control.max_age:
        yield b"max=%d" % control.max_age
