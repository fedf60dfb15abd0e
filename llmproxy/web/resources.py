"""Resources with more than twisted.web's have: streamed bodies, and roots that know their leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.web.resource import Resource

if TYPE_CHECKING:
    from twisted.web.resource import IResource

    from ..core.forwarded import TrustedProxies


class StreamingResource(Resource):
    """
    A resource that takes the body of its requests as a stream.

    It is rendered at the end of the headers, with the body still on its way in C{request.body}, and must return
    L{twisted.web.server.NOT_DONE_YET}. All other resources are rendered when the body is in C{request.content}.
    """


class RootResource(Resource):
    """
    The root of a tree, which knows more than a search through it would find.

    @ivar trusted_proxies: those in front that are believed, where the site names none; C{None} if there are none.
    """

    def __init__(self, trusted_proxies: TrustedProxies | None = None) -> None:
        super().__init__()
        self.trusted_proxies = trusted_proxies

    def leaf_at(self, target: bytes) -> Resource | None:
        """
        The resource of C{target}, which a search would end at too; C{None} where the tree has to be searched.

        @param target: in origin form, with its query.
        """
        return None


def trusted_by(resource: IResource) -> TrustedProxies | None:
    """The proxies that a tree believes, by its root."""
    return resource.trusted_proxies if isinstance(resource, RootResource) else None
