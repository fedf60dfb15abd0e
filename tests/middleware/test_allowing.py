"""Tests for L{llmproxy.middleware.allowing}, as L{llmproxy.middleware.restrict} asks it."""

from __future__ import annotations

import json
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.core import websocket
from llmproxy.core.websocket import FrameReader
from llmproxy.errors import EndpointUnchecked, ProxyError
from llmproxy.limiterrors import NotPermitted
from llmproxy.message import ApiResponse, Field, Principal
from llmproxy.middleware.allowing import Allowing
from llmproxy.middleware.checking.inspection import Inspection
from llmproxy.middleware.restrict import Restrict
from llmproxy.net.timers import TimerWheel
from llmproxy.usagelimits import UNLIMITED, UsageLimits

from ..tables import row
from .checking.test_frames import FakeUpstream
from .fakes import PRINCIPAL, HeldBody, Inner, Reader, a_request, an_api

JSON: Field = (b"Content-Type", b"application/json")
FORM: Field = (b"Content-Type", b"application/x-www-form-urlencoded")
MULTIPART: Field = (b"Content-Type", b"multipart/form-data; boundary=xYz")
PART = b'--xYz\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'


def limited(token: UsageLimits = UNLIMITED, project: UsageLimits = UNLIMITED) -> Principal:
    return Principal(evolve(PRINCIPAL.token, limits=token), evolve(PRINCIPAL.project, limits=project))


class AllowingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.inner = Inner()
        self.clock = Clock()
        self.inspection = Inspection(self.clock, TimerWheel(self.clock))
        self.restrict = Restrict(self.inspection, "", Allowing(UNLIMITED))

    def ask(
        self,
        principal: Principal,
        method: bytes = b"POST",
        target: bytes = b"/v1/chat/completions",
        fields: list[Field] | None = None,
        body: Any = None,
        **policy: Any,
    ) -> Deferred[ApiResponse]:
        request = a_request(method, target, fields, body, api=an_api(policy=policy), principal=principal)
        request.client = "192.0.2.7"
        try:
            return self.restrict.respond(request, self.inner)
        except ProxyError as error:
            failed: Deferred[ApiResponse] = Deferred()
            failed.errback(error)
            return failed

    def outcome(self, *args: Any, **policy: Any) -> str:
        """C{""} for what goes on, else the code that it is refused with."""
        before = len(self.inner.requests)
        asking = self.ask(*args, **policy)
        self.clock.pump([0.0] * 5)
        if len(self.inner.requests) == before:
            return str(self.failureResultOf(asking, ProxyError).value.code)
        reader = Reader()
        body = self.inner.requests[-1].body
        if body is None:
            return ""
        producing = body.startProducing(reader)
        self.clock.pump([0.0] * 5)
        if producing.called and not isinstance(producing.result, type(None)):
            return str(self.failureResultOf(producing, ProxyError).value.code)
        return ""


class ModelTests(AllowingCase):
    MINE = UsageLimits(models=("gpt-4o*", "ok"))

    def test_calls_of_batches(self) -> None:
        """A batch calls endpoints: those that the caller may use, in each line and where it is made."""
        mine = limited(UsageLimits(endpoints=("/v1/files", "/v1/batches", "/v1/embeddings")))

        def file(url: bytes, purpose: bytes = b"batch") -> bytes:
            line = b'{"custom_id": "1", "method": "POST", "url": "%b", "body": {"model": "m"}}' % url
            end = b"--xYz--\r\n"
            head = b'--xYz\r\nContent-Disposition: form-data; name="file"; filename="b.jsonl"\r\n\r\n'
            return PART % (b"purpose", purpose) + head + line + b"\r\n" + end

        chat = b"/v1/chat/completions"
        for target, fields, body, expected in (
            (b"/v1/files", [MULTIPART], file(b"/v1/embeddings"), ""),
            (b"/v1/files", [MULTIPART], file(chat), "endpoint_not_allowed"),
            (b"/v1/files", [MULTIPART], file(chat, b"assistants"), ""),
            (b"/v1/batches", [JSON], b'{"endpoint": "/v1/embeddings", "input_file_id": "f"}', ""),
            (b"/v1/batches", [JSON], b'{"endpoint": "%b"}' % chat, "endpoint_not_allowed"),
            (b"/v1/embeddings", [JSON], b'{"model": "m", "endpoint": "%b"}' % chat, ""),
        ):
            with row(f"{target!r} {body[-60:]!r}"):
                self.assertEqual(self.outcome(mine, b"POST", target, fields, BytesBody(body)), expected)
        self.assertEqual(self.outcome(limited(), b"POST", b"/v1/files", [MULTIPART], BytesBody(file(chat))), "")

    def test_places(self) -> None:
        """A model is found wherever a caller names it: in the path, the query, each kind of body, a batch file."""

        def multipart(name: bytes) -> bytes:
            return PART % (b"model", name) + b"--xYz--\r\n"

        def batch(name: bytes) -> bytes:
            line = b'{"custom_id":"1","url":"/v1/chat/completions","body":{"model":"' + name + b'"}}\n'
            return (
                PART % (b"purpose", b"batch")
                + PART.replace(b'"%b"', b'"file"; filename="b.jsonl"') % line
                + b"--xYz--\r\n"
            )

        for where, good, bad in (
            (
                "body",
                (b"POST", b"/v1/x", [JSON], b'{"model":"gpt-4o-mini"}'),
                (b"POST", b"/v1/x", [JSON], b'{"model":"o3"}'),
            ),
            (
                "nested",
                (b"POST", b"/v1/x", [JSON], b'{"requests":[{"params":{"model":"ok"}}]}'),
                (b"POST", b"/v1/x", [JSON], b'{"requests":[{"params":{"model":"o3"}}]}'),
            ),
            (
                "escaped",
                (b"POST", b"/v1/x", [JSON], b'{"\\u006dodel":"ok"}'),
                (b"POST", b"/v1/x", [JSON], b'{"\\u006dodel":"o3"}'),
            ),
            ("form", (b"POST", b"/v1/x", [FORM], b"model=ok"), (b"POST", b"/v1/x", [FORM], b"model=o3")),
            (
                "multipart",
                (b"POST", b"/v1/audio", [MULTIPART], multipart(b"ok")),
                (b"POST", b"/v1/audio", [MULTIPART], multipart(b"o3")),
            ),
            (
                "batch",
                (b"POST", b"/v1/files", [MULTIPART], batch(b"ok")),
                (b"POST", b"/v1/files", [MULTIPART], batch(b"o3")),
            ),
            (
                "path",
                (b"POST", b"/v1beta/models/ok:generateContent", [], None),
                (b"POST", b"/v1beta/models/o3:generateContent", [], None),
            ),
            ("retrieve", (b"GET", b"/v1/models/ok", [], None), (b"GET", b"/v1/models/o3", [], None)),
            (
                "deployment",
                (b"POST", b"/openai/deployments/ok/x", [], None),
                (b"POST", b"/openai/deployments/o3/x", [], None),
            ),
            ("query", (b"GET", b"/v1/realtime?model=ok", [], None), (b"GET", b"/v1/realtime?model=o3", [], None)),
        ):
            for principal in (limited(self.MINE), limited(project=self.MINE)):
                for asked, expected in ((good, ""), (bad, "model_not_allowed")):
                    with row(where, asked):
                        *head, body = asked
                        self.assertEqual(self.outcome(principal, *head, body and BytesBody(body)), expected)

    def test_read_only_then(self) -> None:
        """No body is read of callers who may use every model."""
        for principal in (
            limited(),
            limited(UsageLimits(rpm_limit=1)),
            limited(UsageLimits(models=None), UsageLimits(apis=("openai",), endpoints=("/v1",))),
        ):
            with row(principal.token.limits):
                body = HeldBody()
                self.ask(principal, b"POST", b"/v1/x", [JSON], body)
                self.assertIs(self.inner.requests[-1].body, body)
                self.assertIsNone(body.consumer)
        body = HeldBody()
        self.ask(limited(self.MINE), b"POST", b"/v1/x", [JSON], body)
        self.assertIsNotNone(body.consumer)

    def test_same_bytes(self) -> None:
        """What is allowed goes on as it came."""
        content = b'{ "model" : "ok" , "n":1e3}\n'
        self.ask(limited(self.MINE), b"POST", b"/v1/x", [JSON], BytesBody(content))
        self.clock.pump([0.0] * 5)
        reader = Reader()
        body = self.inner.requests[-1].body
        assert body is not None
        body.startProducing(reader)
        self.assertEqual(reader.data, content)
        self.assertEqual(self.inner.requests[-1].model, "ok")

    def test_all_lists(self) -> None:
        """Token, project and the API's own whitelist all hold, with the refusal of the one that does not."""
        principal = limited(UsageLimits(models=("a*", "b")), UsageLimits(models=("a1", "b", "c")))
        for name, code in (
            ("a1", ""),
            ("b", "param_not_allowed"),
            ("c", "model_not_allowed"),
            ("a2", "model_not_allowed"),
        ):
            with row(name):
                body = BytesBody(json.dumps({"model": name}).encode())
                found = self.outcome(principal, b"POST", b"/v1/x", [JSON], body, param_whitelist={"model": ["a*", "c"]})
                self.assertEqual(found, code)

    def test_other_parameters(self) -> None:
        """What an API restricts besides stays restricted."""
        body = BytesBody(b'{"model":"ok","size":"big"}')
        whitelist = {"/v1/images": {"size": ["small"]}}
        asked = (limited(self.MINE), b"POST", b"/v1/images", [JSON], body)
        self.assertEqual(self.outcome(*asked, param_whitelist=whitelist), "param_not_allowed")

    def test_unchecked(self) -> None:
        """Endpoints that the configuration leaves unchecked are not open to callers with a list of models."""
        unchecked = {"param_whitelist": {"model": ["*"]}, "unchecked_endpoints": ["/v1/x", "/v1/uploads"]}
        asked = (b"POST", b"/v1/x", [JSON], BytesBody(b'{"model":"o3"}'))
        self.assertEqual(self.outcome(limited(), *asked, **unchecked), "")
        asked = (b"POST", b"/v1/x", [JSON], BytesBody(b'{"model":"o3"}'))
        self.assertEqual(self.outcome(limited(self.MINE), *asked, **unchecked), "model_not_allowed")
        error = self.failureResultOf(
            self.ask(limited(self.MINE), b"POST", b"/v1/uploads", [], None, **unchecked), EndpointUnchecked
        )
        self.assertIn("limited to some models", error.value.description)

    def test_frames(self) -> None:
        """Messages of a WebSocket are judged one by one."""
        request = a_request(b"GET", b"/v1/realtime", [], api=an_api(dialect="openai"), principal=limited(self.MINE))
        request.upgrade = b"websocket"
        responding = self.restrict.respond(request, self.inner)
        upstream, got = FakeUpstream(), Reader()
        self.inner.answer(ApiResponse(101, b"", [], HeldBody(), upgraded=upstream))
        response = self.successResultOf(responding)
        assert response.body is not None and response.upgraded is not None
        response.body.startProducing(got)
        for name in (b"ok", b"o3"):
            text = b'{"type":"session.update","session":{"model":"%b"}}' % name
            response.upgraded.write(_masked(text))
            self.clock.advance(0)
        self.assertIn(b"ok", upstream.data)
        self.assertNotIn(b"o3", upstream.data)
        said = [part.payload for part in FrameReader("server").feed(got.data)]
        self.assertIn(b"model_not_allowed", said[0])
        self.assertEqual(int.from_bytes(said[-1][:2], "big"), websocket.POLICY_VIOLATION)


class HeadTests(AllowingCase):
    def test_lists(self) -> None:
        """APIs, endpoints and addresses are judged by the head, before a body is looked at."""
        for limits, code in (
            (UsageLimits(apis=("openai",)), ""),
            (UsageLimits(apis=("azure",)), "api_not_allowed"),
            (UsageLimits(endpoints=("/v1/chat",)), ""),
            (UsageLimits(endpoints=("/v1/models",)), "endpoint_not_allowed"),
            (UsageLimits(source_addresses=("192.0.2.0/24",)), ""),
            (UsageLimits(source_addresses=("10.0.0.0/8",)), "address_not_allowed"),
        ):
            for principal in (limited(limits), limited(project=limits)):
                with row(limits):
                    body = HeldBody()
                    asking = self.ask(principal, b"POST", b"/v1/chat/completions", [JSON], body)
                    if code:
                        self.assertEqual(self.failureResultOf(asking, NotPermitted).value.code, code)
                    else:
                        self.assertIs(self.inner.requests[-1].body, body)
                    self.assertIsNone(body.consumer)

    def test_defaults(self) -> None:
        """The lists of the configuration hold of tokens that say nothing; null on a token is no list."""
        self.restrict = Restrict(self.inspection, "", Allowing(UsageLimits(apis=("azure",))))
        self.assertEqual(self.outcome(limited()), "api_not_allowed")
        self.assertEqual(self.outcome(limited(UsageLimits(apis=None))), "")
        self.assertEqual(self.outcome(limited(UsageLimits(apis=("openai",)))), "")

    def test_changed(self) -> None:
        """A list that was changed holds from the next request on."""
        principal = limited(UsageLimits(apis=("azure",)))
        self.assertEqual(self.outcome(principal), "api_not_allowed")
        token = evolve(principal.token, limits=UsageLimits(apis=("openai",)), version=2)
        self.assertEqual(self.outcome(Principal(token, principal.project)), "")

    def test_many_callers(self) -> None:
        """Of callers who are gone nothing is remembered, and of lists of models no more than a bound."""
        allowing = Allowing(UNLIMITED)
        api = an_api()
        for number in range(600):
            principal = limited(UsageLimits(models=(f"m{number}",)))
            allowing.policy_for(a_request(api=api, principal=principal))
        self.assertLessEqual(len(allowing._allowed), 2)
        self.assertLessEqual(len(allowing._policies), 512)


def _masked(payload: bytes) -> bytes:
    return bytes([0x81, 0x80 | len(payload)]) + b"\0\0\0\0" + payload
