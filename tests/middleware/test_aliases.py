"""Tests for L{llmproxy.middleware.aliases}."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from llmproxy.apisettings import ApiSettings, RetrySettings
from llmproxy.bodies import BytesBody
from llmproxy.composition import chain
from llmproxy.message import ApiRequest, ApiResponse, Field
from llmproxy.middleware.aliases import ModelAliases, aliases_for
from llmproxy.middleware.attempts import Attempts
from llmproxy.net.timers import TimerWheel
from llmproxy.origin import OwnKey
from tests.tables import row

from .fakes import PRINCIPAL, HeldBody, Inner, Reader, a_request, a_response, an_api, an_upstream

JSON: Field = (b"Content-Type", b"application/json")
EVENTS: Field = (b"Content-Type", b"text/event-stream; charset=utf-8")


class AliasTests(SynchronousTestCase):
    def setUp(self) -> None:
        one = an_upstream(
            name="one", serves=("fast", "plain"), models={"fast": "to-4"}, own_key=OwnKey("k", None), priority=1
        )
        two = an_upstream(name="two", serves=("fast",), own_key=OwnKey("k", None), priority=2)
        self.api = an_api(upstreams=(one, two), settings=ApiSettings(retry=RetrySettings(2)))
        self.inner = Inner()
        self.respond = chain(self.inner, Attempts(TimerWheel(Clock())), ModelAliases())

    def ask(self, body: Any, *fields: Field, target: bytes = b"/v1/chat/completions") -> Deferred[ApiResponse]:
        self.request: ApiRequest = a_request(target=target, fields=[JSON, *fields], body=body, api=self.api)
        self.request.principal = PRINCIPAL
        return self.respond(self.request)

    def sent(self) -> bytes:
        reader = Reader()
        body = self.inner.requests[-1].body
        assert body is not None
        body.startProducing(reader)
        return reader.data

    def answered(self, *fields: Field, body: Any = None) -> ApiResponse:
        asking = self.ask(BytesBody(b'{"model":"fast"}'))
        self.inner.answer(a_response(200, body, list(fields)))
        return self.successResultOf(asking)

    def test_request(self) -> None:
        """The name is changed and nothing else; upstream is asked for what can be changed back."""
        self.ask(
            BytesBody(b'{ "model" : "fast", "n": "fast" }'),
            (b"Content-Length", b"33"),
            (b"accept-encoding", b"gzip, br"),
            (b"Content-Digest", b"sha-256=:x:"),
            (b"X-A", b"1"),
        )
        self.assertEqual(self.sent(), b'{ "model" : "to-4", "n": "fast" }')
        fields = [(b"Content-Length", b"33"), (b"X-A", b"1"), (b"Accept-Encoding", b"identity")]
        self.assertEqual(self.request.fields, [JSON, *fields])
        self.assertEqual((self.request.model, self.request.body.length), ("fast", 33))  # type: ignore[union-attr]

    def test_on_its_way(self) -> None:
        """A body that comes piece by piece goes on so, without a length."""
        held = HeldBody(40)
        self.ask(held, (b"Content-Length", b"40"))
        held.write(b'{"model":"fa')
        held.write(b'st","x":"')
        self.assertEqual(self.request.body.length, UNKNOWN_LENGTH)  # type: ignore[union-attr]
        self.assertEqual([name for name, _ in self.request.fields], [b"Content-Type", b"Accept-Encoding"])
        reader = Reader()
        self.request.body.startProducing(reader)  # type: ignore[union-attr]
        held.write(b'fast"}')
        held.end()
        self.assertEqual(reader.data, b'{"model":"to-4","x":"fast"}')

    def test_untouched(self) -> None:
        """Another model, or one that is not known, changes no byte and no field."""
        for content in (b'{"model":"plain"}', b'{"n":1}', b"no JSON", b'{"x":{"model":"fast"}}'):
            with row(content):
                self.ask(BytesBody(content))
                self.assertEqual((self.sent(), self.request.fields), (content, [JSON]))

    def test_path(self) -> None:
        """Where the target has the name, it is changed there."""
        for target, expected in (
            (b"/v1beta/models/fast:generateContent?alt=sse", b"/v1beta/models/to-4:generateContent?alt=sse"),
            (b"/openai/deployments/f%61st/chat/completions", b"/openai/deployments/to-4/chat/completions"),
            (b"/v1/realtime?x=1&model=fast", b"/v1/realtime?x=1&model=to-4"),
            (b"/v1beta/models/plain:generateContent", b"/v1beta/models/plain:generateContent"),
        ):
            with row(target):
                self.ask(BytesBody(b'{"contents":[]}'), target=target)
                self.assertEqual((self.request.target, self.sent()), (expected, b'{"contents":[]}'))

    def test_answer(self) -> None:
        """The caller's name comes back, in JSON that is here and on its way, and in events cut anywhere."""
        content = b'{"model":"to-4-2024","x":"to-4"}'
        changed = b'{"model":"fast-2024","x":"to-4"}'
        answer = self.answered(JSON, (b"Content-Length", b"32"), body=BytesBody(content))
        assert isinstance(answer.body, BytesBody)
        self.assertEqual((answer.body.take(), answer.fields), (changed, [JSON, (b"Content-Length", b"32")]))
        self.assertEqual(self.request.record.served, "to-4-2024")
        for field, before, after in ((JSON, content, changed), (EVENTS, b"data: " + content, b"data: " + changed)):
            with row(field):
                held, reader = HeldBody(), Reader()
                answer = self.answered(field, (b"Content-Length", b"40"), body=held)
                assert answer.body is not None
                done = answer.body.startProducing(reader)
                for at in range(len(before)):
                    held.write(before[at : at + 1])
                held.end()
                self.successResultOf(done)
                self.assertEqual((reader.data, answer.fields), (after, [field]))

    def test_answers_left(self) -> None:
        """What is no JSON, is coded, or names another model, is not touched."""
        for fields, content in (
            ([JSON], b'{"model":"other"}'),
            ([JSON], b'{"id":"to-4"}'),
            ([(b"Content-Type", b"text/plain")], b'{"model":"to-4"}'),
            ([JSON, (b"Content-Encoding", b"gzip")], b'{"model":"to-4"}'),
            ([JSON, (b"Content-Encoding", b"strange")], b'{"model":"to-4"}'),
        ):
            with row(fields, content):
                answer = self.answered(*fields, body=BytesBody(content))
                assert isinstance(answer.body, BytesBody)
                self.assertEqual((answer.body.take(), answer.fields), (content, fields))
                self.assertEqual(self.request.record.served, "to-4")
        self.assertIsNone(self.answered(JSON).body)

    def test_next_attempt(self) -> None:
        """Another upstream gets the caller's request, and its answer stays as it is."""
        asking = self.ask(BytesBody(b'{"model":"fast"}'), (b"Accept-Encoding", b"gzip"))
        self.assertEqual(self.sent(), b'{"model":"to-4"}')
        self.inner.answer(a_response(503))
        self.assertEqual(self.sent(), b'{"model":"fast"}')
        self.assertEqual(self.request.fields, [JSON, (b"Accept-Encoding", b"gzip")])
        self.inner.answer(a_response(200, BytesBody(b'{"model":"to-4"}'), [JSON]))
        body = self.successResultOf(asking).body
        assert isinstance(body, BytesBody)
        self.assertEqual((body.take(), self.request.record.served), (b'{"model":"to-4"}', ""))

    def test_off(self) -> None:
        """Without an alias the chain has nothing of it."""
        self.assertIsNone(aliases_for([an_api()]))
        self.assertIsNotNone(aliases_for([an_api(), self.api]))
