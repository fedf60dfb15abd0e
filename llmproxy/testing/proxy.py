"""A proxy in memory, whose client and upstream the test holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from zope.interface import implementer

from ..app.proxy import TransparentProxy
from ..bodies import BytesBody
from ..config import APIConfig, ProxyConfig
from ..interfaces import IRecordSink
from ..message import ApiRequest, Field, Project, Record
from ..web.requestids import known_as
from .answer import MemoryAnswer
from .stores import MemoryProjects, MemoryTokens
from .upstream import HeldUpstream

SECRET = "sk-" + "A" * 22
"""The token that is known."""

UPSTREAM_KEY = "sk-upstream"

PROJECT = Project("p-1", "Tests", {"default": (UPSTREAM_KEY,)})
"""Whose it is."""

_CONFIG = ProxyConfig(
    base_url="https://upstream.example", allowed_endpoints=["/v1"], allowed_methods=["GET", "POST", "DELETE"]
)


class MemoryProxy:
    """
    A L{TransparentProxy} without a database, started. One token is known, L{SECRET}, of the project L{PROJECT}, which
    has the key C{sk-upstream} for each API.

    @param config: the APIs; by default one, C{https://upstream.example}, with all below C{/v1}.
    @param parts: what L{TransparentProxy} takes, in place of what stands here.
    @ivar clock: its time, which passes when the test says so.
    @ivar proxy: the proxy.
    @ivar upstream: what it asks; another C{upstream_client} takes its place.
    @ivar tokens: who may ask, unless there is a C{token_validator}.
    @ivar projects: their projects, unless there is a C{project_store}.
    """

    def __init__(self, config: APIConfig | ProxyConfig = _CONFIG, **parts: Any) -> None:
        self.clock = Clock()
        self.upstream = HeldUpstream()
        self.tokens = MemoryTokens({SECRET: PROJECT.id})
        names = config.apis if isinstance(config, APIConfig) else [config.api_name]
        self.projects = MemoryProjects([Project(PROJECT.id, PROJECT.name, dict.fromkeys(names, (UPSTREAM_KEY,)))])
        self._records = _Records()
        own = {"token_validator": self.tokens, "project_store": self.projects, "upstream_client": self.upstream}
        sinks = [*parts.pop("record_sinks", ()), self._records]
        self.proxy = TransparentProxy(self.clock, config, record_sinks=sinks, **{**own, **parts})
        self.proxy.startService()

    @property
    def records(self) -> list[Record]:
        """Of the exchanges that have ended, in that order."""
        self.proxy.metrics()  # passes on what waits
        return self._records.found

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Any | None = None,
        fields: Sequence[Field] = (),
        token: str | None = SECRET,
    ) -> MemoryAnswer:
        """
        Send a request; the answer is there at once, or as far as upstream has given it.

        @param path: with its query.
        @param body: bytes, or an C{IBodyProducer} that is sent as it comes.
        @param token: in C{Authorization}; C{None} sends none.
        """
        sent: list[Field] = [(b"Host", b"proxy.example"), *fields]
        if token is not None:
            sent.append((b"Authorization", b"Bearer " + token.encode()))
        if isinstance(body, bytes):
            sent.append((b"Content-Length", b"%d" % len(body)))
            body = BytesBody(body)
        record = Record(str(uuid4()), method, path.partition("?")[0], "192.0.2.1", self.clock.seconds())
        record.trace = known_as(sent)[2]
        return MemoryAnswer(
            self.proxy.respond(ApiRequest(method.encode(), path.encode(), sent, body, record, client="192.0.2.1"))
        )

    def stop(self) -> Deferred[None]:
        """Stop the proxy; fires when nothing of it is left. Running exchanges end first, or when C{clock} says so."""
        return self.proxy.stopService()


@implementer(IRecordSink)
class _Records:
    def __init__(self) -> None:
        self.found: list[Record] = []

    def record_batch(self, records: Sequence[Record]) -> None:
        """Keep them."""
        self.found += records
