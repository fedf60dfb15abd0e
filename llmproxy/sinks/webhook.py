"""The sink C{http}: a webhook that gets batches of events, signed."""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..apisettings import ConnectionSettings
from ..config.sinks import secrets_in
from ..core.events.receipts import Receipt
from ..core.events.webhooks import batch_id, key_of, signature
from ..interfaces.events import IEventSink
from .eventformats import lines_of
from .httppost import post
from .sinksettings import SinkSettings

if TYPE_CHECKING:
    from ..core.events import Event
    from .registry import OwnAgent, SinkTools

_OURS = frozenset({"content-type", "content-length", "content-encoding", "host", "transfer-encoding", "connection"})

_TYPES = {"json": "application/json", "jsonl": "application/x-ndjson"}


@implementer(IEventSink)
class Webhook:
    """
    Settings: C{url}; C{secret}, which signs each batch; C{headers}, sent with each; C{format}, C{json} (an array) or
    C{jsonl}; C{compress}, for C{gzip}; C{ca_file}, C{client_cert} and C{client_key}; C{schema}.
    """

    def __init__(self, settings: Mapping[str, Any], tools: SinkTools) -> None:
        self._tools = tools
        read = SinkSettings(settings)
        self._url = read.url("url")
        secret = read.text("secret", "")
        self._headers = read.texts("headers")
        self._format = read.one_of("format", "json", "json", "jsonl")
        self._compresses = read.flag("compress", False)
        self._lines = lines_of(read)
        self._own = _own_agent(read, tools)
        self._key = b""
        try:
            self._key = key_of(secret)
        except ValueError as error:
            read.problem("secret", str(error))
        if "secret" in settings and not secret:
            read.problem("secret", "is empty: leave it out to send unsigned batches")
        for name, value in self._headers.items():
            _check_header(read, name, value)
        read.done()
        if tools.masking is not None:
            tools.masking.learn([secret, *secrets_in("headers", self._headers)])

    def deliver(self, batch: Sequence[Event]) -> Deferred[Receipt | None]:
        return Deferred.fromCoroutine(self._deliver(batch))

    async def _deliver(self, batch: Sequence[Event]) -> Receipt | None:
        now = int(self._tools.reactor.seconds())
        if self._compresses or any(event.content is not None for event in batch):
            body, headers = await self._tools.run_in_thread(self._request, batch, now)
        else:
            # Of small events a thread costs more than it spares.
            body, headers = self._request(batch, now)
        agent = self._tools.agent if self._own is None else self._own
        return await post(agent, self._url, body, headers) if body else None

    def _request(self, batch: Sequence[Event], now: int) -> tuple[bytes, dict[str, str]]:
        """The body of a batch, C{b""} if none of it has the format, and the header fields."""
        lines = self._lines(batch)
        if not lines:
            return b"", {}
        body = b"[" + b",".join(lines) + b"]" if self._format == "json" else b"\n".join(lines) + b"\n"
        id = batch_id(batch)
        headers = {"Content-Type": _TYPES[self._format], **self._headers}
        headers |= {"webhook-id": id, "webhook-timestamp": str(now)}
        if self._key:
            # Of what the receiver's program sees: its server may have decoded the coding of the content.
            headers["webhook-signature"] = signature(self._key, id, now, body)
        if self._compresses:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, 6)
        return body, headers

    def close(self) -> Deferred[None]:
        closing = None if self._own is None else self._own.close()
        return succeed(None) if closing is None else closing


def _own_agent(read: SinkSettings, tools: SinkTools) -> OwnAgent | None:
    """A client of its own, where other authorities are trusted, or a certificate is shown; C{None} for the proxy's."""
    files = {name: read.file(name) for name in ("ca_file", "client_cert", "client_key")}
    if files["client_key"] and not files["client_cert"]:
        read.problem("client_key", "needs the client_cert that it belongs to")
    if not any(files.values()) or tools.agent_for is None:
        return None
    return tools.agent_for(ConnectionSettings(**{name: path or None for name, path in files.items()}))  # type: ignore[arg-type]


def _check_header(read: SinkSettings, name: str, value: str) -> None:
    from ..config import rules

    try:
        rules.header_name(name)
    except ValueError as error:
        read.problem("headers", str(error))
    if name.lower() in _OURS or name.lower().startswith("webhook-"):
        read.problem("headers", f"{name} is set by the sink itself")
    if not value.isascii() or not value.isprintable():
        read.problem("headers", f"the value of {name} is no text of visible ASCII characters (it is not shown)")
