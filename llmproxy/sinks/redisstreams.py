"""The sink C{redis-streams}: events as entries of a stream, for consumers elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from ..config.streamvariables import MOST_ENTRIES, STREAM, stream_url
from ..core.events.encoding import encode
from ..core.events.legacy import encode_legacy, has_legacy
from ..core.events.receipts import SHOWN, PassingFailure, Receipt
from ..core.events.vendors.batches import split
from ..core.redisoptions import RedisLocation, parse_redis_url
from ..errors import ConfigError
from ..interfaces.events import IEventSink
from ..redis.connection import Connector, RedisDown, RedisRefused
from ..redis.dedicated import DedicatedConnection
from ..redis.streams import add
from .sinksettings import SinkSettings

if TYPE_CHECKING:
    from ..core.events import Event
    from .registry import SinkTools

FIELD = b"data"
"""The one field of an entry: the reference's, with an event in JSON."""

ANSWER = 5.0
"""Seconds for connecting, and for an answer: what is given up too early is added twice."""

_TOGETHER = 1024 * 1024
"""Bytes of commands that are sent before their replies are waited for."""


@implementer(IEventSink)
class RedisStreams:
    """
    Settings: C{url}, C{stream}; C{max_len}, about how many entries stay, 0 for all: what nobody has read yet is removed
    too, once so many came behind it; C{schema}, C{legacy} for the names of the reference.

    What was added before a failure is not added again, as far as Redis could say so.
    """

    def __init__(self, settings: Mapping[str, Any], tools: SinkTools) -> None:
        read = SinkSettings(settings)
        location = _location(read, tools.environment)
        self._stream = read.text("stream", STREAM).encode()
        self._most = read.number("max_len", MOST_ENTRIES)
        self._legacy = read.one_of("schema", "1", "1", "legacy") == "legacy"
        if not self._stream:
            read.problem("stream", "expected a name, got an empty one")
        read.done()
        if location.password and tools.masking is not None:
            tools.masking.learn([location.password])
        self._label = f"{location.label}: "
        self._tools, self._location = tools, location
        self._connection: DedicatedConnection | None = None
        self._added: set[str] = set()

    def deliver(self, batch: Sequence[Event]) -> Deferred[Receipt | None]:
        return Deferred.fromCoroutine(self._deliver(batch))

    def close(self) -> Deferred[None]:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.stop()
        return succeed(None)

    async def _deliver(self, batch: Sequence[Event]) -> Receipt:
        events = [event for event in batch if event.id not in self._added and self._has(event)]
        commands = [add(self._stream, (FIELD, self._encoded(event)), self._most) for event in events]
        for part in split([len(each) for each in commands], _TOGETHER):
            await self._add(events[part], commands[part])
        self._added.clear()
        return Receipt(0, f"{self._label}{len(events)} added")

    async def _add(self, events: Sequence[Event], commands: Sequence[bytes]) -> None:
        try:
            replies = await self._opened().call_all(commands)
        except RedisDown as error:
            raise PassingFailure(f"{self._label}{error}") from None
        failed = [reply for reply in replies if isinstance(reply, Exception)]
        self._added.update(
            event.id for event, reply in zip(events, replies, strict=True) if not isinstance(reply, Exception)
        )
        if failed:
            # What is wrong with Redis, or with what the stream is, is put right by somebody: no event is to blame.
            word = "refuses" if isinstance(failed[0], RedisRefused) else "is away"
            raise PassingFailure(f"{self._label}{word}: {str(failed[0])[:SHOWN]}")

    def _has(self, event: Event) -> bool:
        return not self._legacy or has_legacy(event)

    def _encoded(self, event: Event) -> bytes:
        return encode_legacy(event) if self._legacy else encode(event)

    def _opened(self) -> DedicatedConnection:
        if self._connection is None:
            tools = self._tools
            connector = Connector(tools.reactor, self._location, ANSWER, tools.poller, tools.names)
            self._connection = DedicatedConnection(tools.reactor, connector, ANSWER)
        return self._connection


def _location(read: SinkSettings, environment: Mapping[str, str]) -> RedisLocation:
    """By C{url}, else by the variables of the process; with C{REDIS_PASSWORD} where it holds none."""
    from ..config.environment import with_secrets

    try:
        known = with_secrets(environment, _content, "REDIS_URL", "REDIS_PASSWORD")
        return parse_redis_url(read.text("url", "") or stream_url(known), known["REDIS_PASSWORD"] or None)
    except ValueError as error:
        read.problem("url", str(error))
    except ConfigError as error:
        for each in error.problems:
            read.problem("url", each)
    return RedisLocation()


def _content(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()
