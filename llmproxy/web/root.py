"""The roots of resource trees: operations and management by name, and the proxy for all the rest, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.web.resource import IResource, Resource

from .api.resource import ProxyResource
from .api.stocksite import fields_of
from .basicrequest import BasicRequest
from .clientaddress import named_client, peer_of, set_client
from .jsonresource import JsonResource
from .operations import RouteTable
from .requestids import id_fields, known_as, request_ids
from .resources import RootResource, StreamingResource
from .welcome import WITH_PAGES, Welcome, is_navigation

if TYPE_CHECKING:
    from twisted.web.server import Request

    from ..core.forwarded import TrustedProxies

_PERCENT = ord("%")

KEPT = frozenset({b"manage", b"admin"})
"""Children that give way to no API."""


class Paths(RootResource):
    """
    Resources at paths of one or more segments; what is not there is 404 in JSON.

    Below a site that does not know the trusted proxies, a stock one for example, requests get their client's address
    here.
    """

    def __init__(self, trusted_proxies: TrustedProxies | None = None) -> None:
        super().__init__(trusted_proxies)
        self._next_id = request_ids()

    def put_path(self, path: str, resource: IResource) -> None:
        """Put C{resource} at a path of one or more segments."""
        *above, name = path.strip("/").encode().split(b"/")
        parent: Resource = self
        for segment in above:
            child = parent.children.get(segment)
            if child is None:
                child = Paths()
                parent.putChild(segment, child)
            parent = child
        parent.putChild(name, resource)

    def getChildWithDefault(self, path: bytes, request: Request) -> IResource:
        self._know_client(request)
        self._begin_answer(request)
        child: IResource = super().getChildWithDefault(path, request)
        return child

    def _know_client(self, request: Request) -> None:
        """For L{client_of}, below any site."""
        if self.trusted_proxies is not None:
            set_client(request, named_client(self.trusted_proxies, peer_of(request), fields_of(request)))

    def _begin_answer(self, request: Request) -> None:
        """Do for requests of a stock site what our own do by themselves: ids, and no name of Twisted's."""
        if isinstance(request, BasicRequest):
            return
        request.responseHeaders.removeHeader(b"server")
        for name, value in id_fields(known_as(fields_of(request))[0] or self._next_id()):
            request.responseHeaders.setRawHeaders(name, [value])

    def getChild(self, path: bytes, request: Request) -> IResource:
        return JsonResource(RouteTable())

    def render(self, request: Request) -> Any:
        return JsonResource(RouteTable()).render(request)


class Root(Paths, StreamingResource):
    """
    Children are found by their first segment; everything else goes to the proxy, but for C{/} in a browser
    without a token, which gets a page about what this is. Their names are taken as they are written: a server in front
    that lets nobody at C{/manage} need not know that C{/%6Danage} is the same.

    It may be put anywhere into the tree of an existing site: the proxy then sees targets relative
    to where it stands.

    @param claims: whether a path, without its query, is an API's though a child is there; never asked for those of
        L{KEPT}.
    @param own: finds a resource of the proxy's own among the paths of APIs, by a target without what is above here;
        C{None} where there are none.
    """

    def __init__(
        self,
        proxy: ProxyResource,
        trusted_proxies: TrustedProxies | None = None,
        claims: Callable[[bytes], object] = lambda path: False,
        own: Callable[[bytes], IResource | None] | None = None,
    ) -> None:
        super().__init__(trusted_proxies)
        self._proxy = proxy
        self._own = own
        self._claims = claims
        self._welcome = Welcome()
        self._mounted: dict[int, ProxyResource] = {}

    def leaf_at(self, target: bytes) -> ProxyResource | None:
        """
        The proxy, where the search through the tree would end there; C{None} where that has to be done.

        For our site, which looks here first.
        """
        if self._own is not None and self._own(target) is not None:
            return None
        path = target.partition(b"?")[0]
        segment = path[1:].partition(b"/")[0]
        if not segment or _PERCENT in segment:
            return None
        return None if segment in self.children and not self._is_claimed(segment, path) else self._proxy

    def _is_claimed(self, segment: bytes, path: bytes) -> bool:
        return segment not in KEPT and bool(self._claims(path))

    def getChildWithDefault(self, path: bytes, request: Request) -> IResource:
        self._know_client(request)
        depth = len(request.prepath or ()) - 1
        child: IResource | None = self.children.get(path)
        if child is not None and _written(request, depth) != path:
            child = None
        whole = b"/" + b"/".join([path, *(request.postpath or ())])
        if self._own is not None:
            own = self._own(whole + b"?" + request.uri.partition(b"?")[2])
            if own is not None:
                self._begin_answer(request)
                return own
        if child is not None and not self._is_claimed(path, whole):
            self._begin_answer(request)
            return child
        if not path and not request.postpath and is_navigation(request):
            self._begin_answer(request)
            return self._welcome if b"admin" not in self.children else Welcome(WITH_PAGES)
        return self._proxy if depth == 0 else self._below(depth)

    def render(self, request: Request) -> Any:
        """Answer for itself, as C{/llm} of a tree where it is the child C{llm}."""
        self._know_client(request)
        return self._below(len(request.prepath or ())).render(request)

    def _below(self, depth: int) -> ProxyResource:
        mounted = self._mounted.get(depth)
        if mounted is None:
            mounted = self._mounted[depth] = self._proxy.mounted(depth)
        return mounted


def _written(request: Request, depth: int) -> bytes:
    """A segment of a request's path, as the client sent it."""
    segments = request.uri.partition(b"?")[0].split(b"/")
    return segments[depth + 1] if depth + 1 < len(segments) else b""
