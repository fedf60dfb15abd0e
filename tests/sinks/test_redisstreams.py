"""The sink of a stream in Redis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.core.events.encoding import encode
from llmproxy.core.events.event import Content
from llmproxy.core.events.legacy import encode_legacy
from llmproxy.core.events.receipts import PassingFailure
from llmproxy.core.masking import Masking
from llmproxy.errors import ConfigError
from llmproxy.interfaces.events import IEventSink
from llmproxy.sinks import redisstreams
from llmproxy.sinks.redisstreams import RedisStreams

from ..cache.fakeredis import FakeConnector
from ..core.events.vendors.samples import bare, chat
from .receiver import tools


class RedisStreamsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.connector = FakeConnector()
        self.connector.answers = lambda words: b"1-1"
        self.opened: list[Any] = []

        def connector(reactor: Any, location: Any, *more: Any) -> FakeConnector:
            self.opened.append(location)
            return self.connector

        self.patch(redisstreams, "Connector", connector)

    def sink(self, environment: Any = None, **more: Any) -> RedisStreams:
        return RedisStreams(more, tools(environment=environment or {}))

    @property
    def sent(self) -> list[list[bytes]]:
        return [words for connection in self.connector.connections for words in connection.sent]

    def test_entries(self) -> None:
        """Each event is an entry; nothing is opened before the first."""
        sink = self.sink(url="redis://r:1/2", stream="s", max_len=7)
        self.assertEqual((self.opened, verifyObject(IEventSink, sink)), ([], True))
        receipt = self.successResultOf(sink.deliver([chat(), bare(kind="audit.login")]))
        head = [b"XADD", b"s", b"MAXLEN", b"~", b"7", b"*", b"data"]
        self.assertEqual(self.sent, [[*head, encode(chat())], [*head, encode(bare(kind="audit.login"))]])
        self.assertEqual(str(receipt), "redis://r:1/2: 2 added")
        self.successResultOf(sink.close())
        self.assertTrue(self.connector.connections[0].aborted)

    def test_legacy(self) -> None:
        """The reference's names, and nothing that it has no name for."""
        sink = self.sink(schema="legacy", max_len=0)
        self.successResultOf(sink.deliver([chat(), bare(kind="audit.login")]))
        self.assertEqual(self.sent, [[b"XADD", b"llm-proxy-events", b"*", b"data", encode_legacy(chat())]])

    def test_away(self) -> None:
        """Without Redis the batch may be taken later."""
        self.connector.failure = OSError("refused")
        why = str(self.failureResultOf(self.sink().deliver([chat()]), PassingFailure).value)
        self.assertEqual(why, "redis://localhost:6379/0: cannot connect: refused")

    def hold(self, sink: RedisStreams, *events: Any) -> Deferred[Any]:
        """With replies by the test."""
        from ..cache.fakeredis import HOLD

        self.connector.answers = lambda words: HOLD
        for connection in self.connector.connections:
            connection.answers = self.connector.answers
        return sink.deliver(events)

    def test_partly(self) -> None:
        """What was added before a failure is not added again; once all are, everything is new."""
        sink = self.sink()
        delivering = self.hold(sink, chat(), bare())
        connection = self.connector.connections[0]
        connection.answer(b"1-1")
        connection.refuse("OOM command not allowed")
        failure = self.failureResultOf(delivering, PassingFailure)
        self.assertEqual(str(failure.value), "redis://localhost:6379/0: refuses: OOM command not allowed")
        for expected in ([encode(bare())], [encode(chat()), encode(bare())]):
            before = len(self.sent)
            again = self.hold(sink, chat(), bare())
            for _ in expected:
                connection.answer(b"1-2")
            self.successResultOf(again)
            self.assertEqual([words[-1] for words in self.sent[before:]], expected, expected)

    def test_lost(self) -> None:
        """A connection that ends, and a Redis that says nothing, are tried again."""
        sink = self.sink()
        delivering = self.hold(sink, chat())
        self.connector.connections[0].abort()
        self.failureResultOf(delivering, PassingFailure)
        again = self.hold(sink, chat())
        again.cancel()
        self.failureResultOf(again)
        self.assertEqual([each.aborted for each in self.connector.connections], [True, True])

    def test_large(self) -> None:
        """Not all of a large batch is sent at once."""
        large = [chat(id=str(number), content=Content(response_body="x" * 700_000)) for number in range(3)]
        delivering = self.hold(self.sink(), *large)
        for count in (1, 2, 3):
            self.assertEqual(len(self.sent), count, count)
            self.connector.connections[0].answer(b"1-1")
        self.successResultOf(delivering)

    def test_places(self) -> None:
        """A URL of the configuration, else the variables of the process; a password where the URL has none."""
        env = {"REDIS_ADDR": "r:7", "REDIS_DB": "4", "REDIS_PASSWORD": "hush-hush"}
        self.successResultOf(self.sink(env).deliver([chat()]))
        self.assertEqual((self.opened[0].label, self.opened[0].password), ("redis://r:7/4", "hush-hush"))
        self.successResultOf(self.sink(env, url="rediss://x/1").deliver([chat()]))
        self.assertEqual(self.opened[1].label, "rediss://x:6379/1")

    def test_secret_files(self) -> None:
        """What variables name in files is used, and a file that is not there is no reason to go elsewhere."""
        path = self.mktemp()
        Path(path).write_text("redis://x:7/3\n")
        self.successResultOf(self.sink({"REDIS_URL_FILE": path}).deliver([chat()]))
        self.assertEqual(self.opened[0].label, "redis://x:7/3")
        with self.assertRaisesRegex(ConfigError, "REDIS_URL"):
            self.sink({"REDIS_URL": "file:/none/such"})

    def test_settings(self) -> None:
        """What is wrong is said without what may be a password, which is masked."""
        for more, why in (
            ({"url": "http://u:secret-word@r"}, "url: expected a URL such as"),
            ({"stream": ""}, "stream: "),
        ):
            error = self.assertRaises(ConfigError, self.sink, **more)
            self.assertIn(why, str(error), more)
            self.assertNotIn("secret-word", str(error), more)
        masking = Masking()
        RedisStreams({"url": "redis://:secret-word@r"}, tools(masking=masking))
        self.assertNotIn("secret-word", masking.text("oh secret-word"))
