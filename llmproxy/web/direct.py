"""Direct calls of a JSON API, without HTTP: what the admin pages ask passes the same checks, and is noted alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.address import IPv4Address


class DirectRequest:
    """
    What L{llmproxy.web.jsonresource.JsonResource} uses of a request.

    @ivar actor: who makes it, where that is known already; C{None} has it looked up.
    @ivar later: takes what notes the call in the audit log; C{None} has it noted at once.
    @param target: below the resource, with its query, as it would stand in a request line.
    @param mount: where the resource stands.
    @param client: the address that it came from.
    """

    def __init__(
        self,
        method: str,
        target: str,
        fields: Mapping[str, str],
        content: bytes = b"",
        *,
        client: str = "",
        mount: str = "/manage",
        actor: Any = None,
        later: list[Callable[[], None]] | None = None,
    ) -> None:
        self.method = method.encode("ascii")
        self.uri = (mount + target).encode("ascii")
        path = target.partition("?")[0]
        self.postpath = [unquote_to_bytes(each) for each in path.split("/")[1:]]
        self.content = BytesIO(content)
        self.actor = actor
        self.later = later
        self._client = client
        self._fields = {name.lower().encode("ascii"): value.encode("utf-8") for name, value in fields.items()}

    def getHeader(self, name: bytes) -> bytes | None:
        return self._fields.get(name.lower())

    def getClientAddress(self) -> IPv4Address:
        # Its host is all that is looked at, and may be any text.
        return IPv4Address("TCP", self._client, 0)
