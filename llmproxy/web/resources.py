"""Resources with more than twisted.web's have: streamed bodies, and roots that know their leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.web.resource import Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from twisted.web.resource import IResource

    from ..core.forwarded import TrustedProxies


class StreamingResource(Resource):
    """
    A resource that takes the body of its requests as a stream.

    It is rendered at the end of the headers, with the body still on its way in C{request.body}, and must return
    L{twisted.web.server.NOT_DONE_YET}. All other resources are rendered when the body is in C{request.content}.
    """


class CountedResource(StreamingResource):
    """
    One that knows how many of its requests are running, and can be waited for.

    @ivar running: those that C{render} has begun, which adds one, and that have not come to L{_ended}.
    """

    def __init__(self) -> None:
        super().__init__()
        self._idle: list[Deferred[None]] = []
        self.running = 0

    def idle(self) -> Deferred[None]:
        """Fires once no request is running; cancel it not to wait any longer."""
        waiting: Deferred[None] = Deferred()
        self._idle.append(waiting)
        self._tell_idle()
        return waiting

    def _ended(self, result: object) -> None:
        self.running -= 1
        self._tell_idle()

    def _tell_idle(self) -> None:
        if not self.running:
            waiting, self._idle = self._idle, []
            for one in waiting:
                one.callback(None)


class RootResource(Resource):
    """
    The root of a tree, which knows more than a search through it would find.

    @ivar trusted_proxies: those in front that are believed, where the site names none; C{None} if there are none.
    @ivar forgetting: what is to be called when something is revoked or configured otherwise: a site remembers heads of
        requests, and puts in what forgets them. C{None} where nobody would call it, and so nothing is remembered.
    """

    def __init__(self, trusted_proxies: TrustedProxies | None = None) -> None:
        super().__init__()
        self.trusted_proxies = trusted_proxies
        self.forgetting: list[Callable[[], object]] | None = None

    def leaf_at(self, target: bytes) -> Resource | None:
        """
        The resource of C{target}, which a search would end at too; C{None} where the tree has to be searched.

        @param target: in origin form, with its query.
        """
        return None


def trusted_by(resource: IResource) -> TrustedProxies | None:
    """The proxies that a tree believes, by its root."""
    return resource.trusted_proxies if isinstance(resource, RootResource) else None
