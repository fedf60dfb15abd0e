"""
The values that pass through the proxy: requests, responses, and what is known of their senders.

Header fields are lists of C{(name, value)} pairs of C{bytes} in wire order, because order, case and repeats are part of
what a transparent proxy must keep, and L{twisted.web.http_headers.Headers} keeps none of the three.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, Literal, TypeVar

from attrs import field, frozen

from .api import Api as Api
from .api import Dialect as Dialect
from .api import Route as Route
from .origin import Upstream
from .principal import Principal as Principal
from .principal import Project as Project
from .principal import Token as Token
from .record import Attribution as Attribution
from .record import Call as Call
from .record import Cause as Cause
from .record import Ending as Ending
from .record import Record as Record
from .record import Trace as Trace

if TYPE_CHECKING:
    from twisted.internet.interfaces import IConsumer
    from twisted.web.iweb import IBodyProducer


Field = tuple[bytes, bytes]
"""One header or trailer field, name and value exactly as on the wire, without surrounding white space."""

Fields = Sequence[Field]
"""A header section in wire order."""

Role = Literal["owner", "operator", "auditor"]
"""Of those who use the management API; what each may do stands in L{llmproxy.core.roles}."""


@frozen
class Admin:
    """Somebody who may use the management API: never their secret, only the hash of it. Times as in L{Token}."""

    id: str
    name: str
    token_hash: str = field(repr=False)
    hint: str
    role: Role
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None


@frozen
class Session:
    """
    Somebody who is signed in at the admin pages: never the secret, only the hash of it. Times as in L{Token}.

    @ivar admin_id: of whom, or L{llmproxy.core.sessions.MANAGEMENT_TOKEN}; of a person who signed in by a provider too.
    @ivar binding: ties it to the management token, where that was shown.
    @ivar kept: whether it outlives the browser.
    @ivar seen_at: about when something was asked with it last.
    @ivar expires_at: when it ends in any case.
    @ivar client: the address that signed in.
    @ivar agent: the browser that signed in, by its own word.
    @ivar provider_session: what the identity provider that signed them in calls its own session.
    @ivar id_token: what that provider wants to see when they sign out, sealed.
    """

    id: str
    secret_hash: str = field(repr=False)
    admin_id: str
    binding: str = field(repr=False)
    kept: bool
    created_at: float
    seen_at: float
    expires_at: float
    client: str = ""
    agent: str = ""
    provider_session: str | None = None
    id_token: str | None = field(default=None, repr=False)


@frozen
class IdempotentCall:
    """
    A call with an C{Idempotency-Key} that was made before.

    @ivar fingerprint: of what was asked.
    @ivar status: what it was answered with; C{None} if it has not ended, as far as is known.
    @ivar answer: sealed; opens only for who made the call.
    """

    fingerprint: str
    begun_at: float
    status: int | None = None
    answer: str | None = field(default=None, repr=False)


T = TypeVar("T")


@frozen
class Page(Generic[T]):
    """
    Some rows of a list.

    @ivar after: what asks for the rows behind these; C{None} if there are none. It is opaque, ASCII without
        spaces, tells nothing secret, and stays good when rows come or go.
    @ivar looked_back_to: where a search looks at a bounded number of rows, when the last of them was made, in seconds
        since the epoch; C{after} goes on there, however few were found. C{None} where it has looked at all it had to.
    """

    items: list[T]
    after: str | None = None
    looked_back_to: float | None = None


InterimSink = Callable[[int, bytes, Fields], None]
"""Called with the status, reason and fields of a 1xx response (never 100 or 101)."""


class ApiRequest:
    """
    A request on its way through the chain.

    A layer that decides something for the layers inside it writes it here: C{route} sets
    C{route}, C{authenticate} sets C{principal}, C{attempts} sets C{upstream} and C{key}, C{credential}
    rewrites C{target} and C{fields}.
    Reading one before it was set is an C{AttributeError}, and a fault in the order of the chain.

    @ivar target: the request target in origin form, as it came; from C{route} on relative to the API
        (C{route} sets it to C{route.target}).
    @ivar fields: the header section as it came. A layer that changes it replaces the list.
    @ivar body: C{None} where there is none; otherwise nobody has started it. A body of
        known length says so in C{length}.
    @ivar client: the address of the peer, without its port.
    @ivar secure: the request came over TLS.
    @ivar on_interim: where a 1xx response goes, if anywhere.
    @ivar upgrade: the protocol that the client would rather speak, RFC 9110 section 7.8; C{b""} for none.
    @ivar model: what the body says, where it was read; C{""} if it was not, or says nothing.
    @ivar peer: the address of who connected, which a proxy in front may be; C{""} on a Unix socket.
    @ivar mount: the path at which the proxy stands in a tree of resources; C{b""} at its root.
    @ivar upstream: where the present attempt goes.
    @ivar key: what it is asked with there; C{""} where it takes none.
    @ivar forced: the present attempt is made although the circuit is open.
    @ivar begun: when the first attempt was made, in seconds of the steady clock; C{None} for that one.
    @ivar heard: called by the innermost layer with the answer, before layers further out have it; it must not raise.
        Who asks several times takes it out, and calls it with the answer that is chosen.
    """

    __slots__ = (
        "begun",
        "body",
        "client",
        "fields",
        "forced",
        "heard",
        "key",
        "method",
        "model",
        "mount",
        "on_interim",
        "peer",
        "principal",
        "record",
        "route",
        "secure",
        "target",
        "upgrade",
        "upstream",
        "version",
    )

    route: Route
    principal: Principal
    upstream: Upstream
    key: str

    def __init__(
        self,
        method: bytes,
        target: bytes,
        fields: list[Field],
        body: IBodyProducer | None,
        record: Record,
        version: bytes = b"HTTP/1.1",
        client: str = "",
        secure: bool = False,
        on_interim: InterimSink | None = None,
        upgrade: bytes = b"",
        model: str = "",
        peer: str = "",
        mount: bytes = b"",
        forced: bool = False,
        begun: float | None = None,
        heard: Callable[[ApiResponse], object] | None = None,
    ) -> None:
        self.method = method
        self.target = target
        self.fields = fields
        self.body = body
        self.record = record
        self.version = version
        self.client = client
        self.secure = secure
        self.on_interim = on_interim
        self.upgrade = upgrade
        self.model = model
        self.peer = peer
        self.mount = mount
        self.forced = forced
        self.begun = begun
        self.heard = heard

    def __copy__(self) -> ApiRequest:
        made = ApiRequest(
            self.method,
            self.target,
            self.fields,
            self.body,
            self.record,
            self.version,
            self.client,
            self.secure,
            self.on_interim,
            self.upgrade,
            self.model,
            self.peer,
            self.mount,
            self.forced,
            self.begun,
            self.heard,
        )
        for decided in ("route", "principal", "upstream", "key"):
            if hasattr(self, decided):
                setattr(made, decided, getattr(self, decided))
        return made

    @property
    def route_if_found(self) -> Route | None:
        """C{route}; C{None} while no layer has set it: for those outside of the layer that does."""
        try:
            return self.route
        except AttributeError:
            return None

    @property
    def principal_if_known(self) -> Principal | None:
        """C{principal}, likewise."""
        try:
            return self.principal
        except AttributeError:
            return None


class ApiResponse:
    """
    A response head, and a body that nobody has started.

    @ivar reason: as upstream wrote it; may be empty.
    @ivar fields: the header section, end-to-end fields only, in wire order.
    @ivar body: C{None} where the message has no content (1xx, 204, 304, an answer to HEAD).
        Its C{length} is the number of bytes, or L{twisted.web.iweb.UNKNOWN_LENGTH}.
        To drop the response is to call C{body.stopProducing()}.
    @ivar trailers: filled in when the body has ended.
    @ivar until_close: the body ends with the connection that it comes on, so that nobody can tell whether its end
        is missing.
    @ivar upgraded: where the client's bytes go after a 101; C{body} is then what upstream says.
    @ivar is_json: upstream has said that it is JSON, and in no coding. What layers change since is not in it.
    """

    __slots__ = (
        "body",
        "fields",
        "is_json",
        "reason",
        "status",
        "trailers",
        "until_close",
        "upgraded",
    )

    def __init__(
        self,
        status: int,
        reason: bytes,
        fields: list[Field],
        body: IBodyProducer | None = None,
        trailers: list[Field] | None = None,
        until_close: bool = False,
        upgraded: IConsumer | None = None,
        is_json: bool = False,
    ) -> None:
        self.status = status
        self.reason = reason
        self.fields = fields
        self.body = body
        self.trailers: list[Field] = [] if trailers is None else trailers
        self.until_close = until_close
        self.upgraded = upgraded
        self.is_json = is_json
