"""The attempts at a request: the upstream and the key of each, and the place where retries stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.credentials import keys_for
from ..errors import ApiKeyMissing

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from ..interfaces import Responder
    from ..message import ApiRequest, ApiResponse


class Attempts:
    """
    What stands further in runs once for each attempt, for one upstream and one key: they are in C{request.upstream} and
    C{request.key}.

    An attempt changes C{target}, C{fields} and C{body} of the request: another one would begin with those that came
    here, and with a body that can be replayed (L{llmproxy.replay.ReplayableBody}); whether it may be made, says
    L{llmproxy.core.attempts.may_repeat}.
    """

    def respond(self, request: ApiRequest, inner: Responder) -> Deferred[ApiResponse]:
        # There is one attempt: at the first upstream, with the first key.
        api = request.route.api
        request.upstream = upstream = api.upstreams[0]
        record = request.record
        record.upstream, record.provider = upstream.name, upstream.provider
        if upstream.credential.kind == "none":
            request.key = ""
        else:
            project = request.principal.project
            held, name = project.api_keys, api.name
            keys = held[name] if name in held and not api.is_balanced else keys_for(api, upstream, project)
            if not keys:
                raise ApiKeyMissing(name)
            request.key = keys[0]
        return inner(request)
