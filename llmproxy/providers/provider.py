"""The description of a vendor's API: what a module of this package gives."""

from __future__ import annotations

import re
from collections.abc import Callable

from attrs import frozen

from ..core.places import Places
from ..origin import CredentialPlace
from .chat import ChatShape
from .usage import UsageShape

ErrorBody = Callable[[int, str, str, str], dict[str, object]]
"""Makes the body of an error of its status, code, words and the id of the request."""

ErrorEvent = Callable[[int, str, str], dict[str, object]]
"""Makes the message of a WebSocket that tells of an error, of its status, code and words."""

_BEARER = CredentialPlace()
_NOWHERE = Places()


@frozen
class Setup:
    """
    What C{llmproxy setup} writes for an API of this vendor.

    @ivar endpoints: what the SDKs of the vendor ask for.
    """

    base_url: str
    endpoints: tuple[str, ...]


@frozen
class Provider:
    """
    Pure values and functions: nothing here does anything. All has a default, which says that nothing is known.

    @ivar names: what an API that leads there is usually called, in lower case.
    @ivar hosts: the names of its hosts, or their ends after a dot.
    @ivar keys: how its keys begin, as the vendor's documents show and scanners for leaked secrets look for. What
        several vendors have in common (C{sk-} alone) tells nothing and is not here. No key may fit two vendors.
    @ivar auth: the short name of C{credential} in a configuration.
    @ivar credential: where it wants its key.
    @ivar query_keys: the parameters of a query, in lower case, that it takes a key in although a field is usual.
    @ivar dialect: in which of the dialects it reports errors: the name of a provider that has C{error_body}.
    @ivar last_events: bytes of which one stands in the last event of a whole stream; empty where it has no such event.
    @ivar request_ids: the fields, in lower case, in which it names a request to its support; the most particular first.
    @ivar exposed: response fields that browser builds of its SDKs read, Fetch section 3.3.4.
    @ivar exposed_families: the beginnings of others, in lower case, whose last part differs between models and plans.
    @ivar referring: response fields, in lower case, that hold a reference to it beside those of HTTP.
    @ivar stream_types: media types of its own for answers that come little by little.
    @ivar places: where it carries models and the parameters of calls.
    @ivar chat: how C{llmproxy chat} talks to it.
    @ivar usages: the shapes in which its answers tell their usage.
    @ivar book: what the book of prices calls it, see L{llmproxy.prices.book}; C{""} if it is not in it.
    @ivar free: segments of paths below which no model runs, so that an answer that tells no usage has used nothing.
    """

    name: str
    names: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    keys: re.Pattern[str] | None = None
    auth: str = "bearer"
    credential: CredentialPlace = _BEARER
    query_keys: frozenset[bytes] = frozenset()
    dialect: str = "openai"
    error_body: ErrorBody | None = None
    error_event: ErrorEvent | None = None
    last_events: tuple[bytes, ...] = ()
    request_ids: tuple[bytes, ...] = ()
    exposed: tuple[str, ...] = ()
    exposed_families: tuple[str, ...] = ()
    referring: tuple[bytes, ...] = ()
    stream_types: tuple[bytes, ...] = ()
    chat: ChatShape | None = None
    setup: Setup | None = None
    places: Places = _NOWHERE
    usages: tuple[UsageShape, ...] = ()
    book: str = ""
    free: frozenset[bytes] = frozenset()


def starting(expression: str) -> re.Pattern[str]:
    """The beginning of a key."""
    return re.compile(expression, re.ASCII)
