"""Tests for L{llmproxy.middleware.restrict}."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import (
    BadRequest,
    ContentTooLarge,
    EndpointNotFound,
    EndpointUnchecked,
    HeaderRequired,
    MethodNotAllowed,
    OriginNotAllowed,
    OriginRequired,
    ParamNotAllowed,
    ProxyError,
    UnsupportedMediaType,
)
from llmproxy.message import ApiResponse, Field
from llmproxy.middleware.checking.inspection import Inspection
from llmproxy.middleware.restrict import Restrict
from llmproxy.net.timers import TimerWheel

from .fakes import HeldBody, Inner, Reader, a_request, an_api

JSON: Field = (b"Content-Type", b"application/json")
GOOD = b'{ "model" : "gpt-4o" }'


class RestrictCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.inner = Inner()
        self.clock = Clock()
        self.inspection = Inspection(self.clock, TimerWheel(self.clock))

    def ask(self, policy: dict[str, Any], *args: Any, **kwargs: Any) -> Deferred[ApiResponse]:
        return Restrict(self.inspection, "the APIs here are /openai/ (and at /)").respond(
            a_request(*args, api=an_api(policy=policy), **kwargs), self.inner
        )

    def refused(self, kind: type[ProxyError], policy: dict[str, Any], *args: Any, **kwargs: Any) -> ProxyError:
        error: ProxyError = self.assertRaises(kind, self.ask, policy, *args, **kwargs)
        self.assertEqual(self.inner.requests, [])
        return error


class HeadTests(RestrictCase):
    def test_everything_allowed(self) -> None:
        """Where nothing is restricted, nothing is asked and nothing is read."""
        body = HeldBody()
        self.ask({}, b"PURGE", b"/anything", [], body)
        self.assertIs(self.inner.requests[0].body, body)
        self.assertIsNone(body.consumer)

    def test_method(self) -> None:
        """A method that is not listed is refused with the list of those that are."""
        error = self.refused(MethodNotAllowed, {"allowed_methods": ["GET", "POST"]}, b"DELETE")
        self.assertEqual(error.fields, ((b"Allow", b"GET, POST, HEAD"),))

    def test_override(self) -> None:
        """A request that wants to be taken for one of another method is refused where methods are restricted."""
        listed = {"allowed_methods": ["GET", "POST"]}
        fields = [(b"X-HTTP-Method-Override", b"DELETE")]
        self.refused(MethodNotAllowed, listed, b"POST", b"/v1/files/f-1", fields)
        error = self.refused(MethodNotAllowed, listed, b"POST", b"/v1/files/f-1?_method=delete", [])
        self.assertIn("_method", error.description)
        self.ask({}, b"POST", b"/v1/files/f-1", fields)
        self.assertEqual(len(self.inner.requests), 1)

    def test_endpoint(self) -> None:
        """A path that no entry allows is not found, nor one that leads out of the API."""
        error = self.refused(EndpointNotFound, {"allowed_endpoints": ["/v1/models"]}, b"GET", b"/v1/modelsX")
        self.assertEqual(
            error.description, "/v1/modelsX is no endpoint of openai; the APIs here are /openai/ (and at /)"
        )
        error = self.refused(EndpointNotFound, {"allowed_endpoints": ["/v1/models"]}, b"GET", b"/" + b"x" * 9000)
        self.assertLess(len(error.description), 300)
        self.refused(EndpointNotFound, {}, b"GET", b"/v1/../../admin")
        self.ask({"allowed_endpoints": ["/v1/models"]}, b"GET", b"/v1/models/x?y=/../")
        self.assertEqual(len(self.inner.requests), 1)

    def test_origins(self) -> None:
        """The reference's table of origins that are required or listed."""
        listed, required = {"allowed_origins": ["https://a.example"]}, {"required_headers": ["origin"]}
        table: tuple[tuple[dict[str, Any], bytes | None, type[ProxyError] | None], ...] = (
            ({**listed, **required}, None, OriginRequired),
            ({**listed, **required}, b"https://b.example", OriginNotAllowed),
            ({**listed, **required}, b"https://a.example", None),
            (listed, b"https://b.example", OriginNotAllowed),
            (listed, b"https://a.example", None),
            (listed, None, None),
            (required, b"https://b.example", None),
            ({}, b"https://b.example", None),
        )
        for policy, origin, kind in table:
            fields = [] if origin is None else [(b"Origin", origin)]
            if kind is None:
                self.ask(policy, b"GET", b"/", fields)
                self.assertEqual(len(self.inner.requests), 1, (policy, origin, kind))
                self.inner.requests.clear()
            else:
                self.refused(kind, policy, b"GET", b"/", fields)

    def test_required_fields(self) -> None:
        """Every required field is asked for, and the one that is missing is named."""
        policy = {"required_headers": ["X-Team", "X-Cost-Center"]}
        error = self.refused(HeaderRequired, policy, b"GET", b"/", [(b"x-TEAM", b"a")])
        self.assertEqual((error.code, error.description), ("header_required", "x-cost-center"))
        self.ask(policy, b"GET", b"/", [(b"X-Team", b""), (b"x-cost-center", b"1")])
        self.assertEqual(len(self.inner.requests), 1)


class ParameterTests(RestrictCase):
    policy = {"param_whitelist": {"model": ["gpt-4o"]}, "max_inspected_body": 64}

    def send(self, content: bytes, *fields: Field, known: bool = True) -> Deferred[ApiResponse]:
        self.body = HeldBody(len(content)) if known else HeldBody()
        responding = self.ask(self.policy, b"POST", b"/v1", list(fields) or [JSON], self.body)
        self.body.write(content)
        self.body.end()
        return responding

    def test_same_bytes(self) -> None:
        """What was checked goes on byte for byte, its length known."""
        for known in (True, False):
            self.send(GOOD, known=known)
            body = self.inner.requests.pop().body
            assert body is not None
            reader = Reader()
            self.successResultOf(body.startProducing(reader))
            self.assertEqual((reader.data, body.length), (GOOD, len(GOOD)), known)

    def test_refused(self) -> None:
        """A value that is not listed is refused, and nothing is sent."""
        self.failureResultOf(self.send(b'{"model":"gpt-5"}'), ParamNotAllowed)
        self.failureResultOf(self.send(b"{"), BadRequest)
        self.refused(
            UnsupportedMediaType, self.policy, b"POST", b"/v1", [(b"Content-Type", b"text/plain")], HeldBody(9)
        )
        self.assertEqual(self.inner.requests, [])

    def test_query(self) -> None:
        """The query is checked, of any method, before a body is read."""
        self.refused(ParamNotAllowed, self.policy, b"GET", b"/v1?model=gpt-5")
        body = HeldBody()
        self.refused(ParamNotAllowed, self.policy, b"PUT", b"/v1?model=gpt-5", [JSON], body)
        self.assertIsNone(body.consumer)

    def test_path(self) -> None:
        """A model that the path names is checked, before a body is read; so is one in the query of Realtime."""
        for path in (b"/openai/deployments/evil/chat/completions", b"/v1beta/models/evil:generateContent"):
            body = HeldBody()
            error = self.refused(ParamNotAllowed, self.policy, b"POST", path, [JSON], body)
            self.assertIn("'evil' is not allowed", error.message)
            self.assertIsNone(body.consumer, path)
        self.refused(ParamNotAllowed, self.policy, b"GET", b"/openai/realtime?api-version=1&deployment=evil")
        self.ask(self.policy, b"GET", b"/openai/deployments/gpt-4o/x?deployment=gpt-4o")
        self.assertEqual(len(self.inner.requests), 1)

    def test_endpoints(self) -> None:
        """An endpoint has rules of its own; nothing is read where none holds, or where that was accepted."""
        policy = {
            "param_whitelist": {"/v1/images": {"size": ["1024x1024"]}, "/v1/chat": {"model": ["ok"]}},
            "unchecked_endpoints": ["/v1/chat/free"],
        }
        for path in (b"/v1/files", b"/v1/chat/free", b"/v1"):
            body = HeldBody()
            self.ask(policy, b"POST", path, [(b"Content-Type", b"application/octet-stream")], body)
            self.assertIsNone(body.consumer, path)
            self.assertIs(self.inner.requests.pop().body, body)
        self.refused(ParamNotAllowed, policy, b"POST", b"/v1/images/generations?size=1", [])
        self.refused(EndpointNotFound, policy, b"POST", b"/v1/Images/generations?size=1", [])

    def test_unchecked(self) -> None:
        """What comes in parts cannot be judged for its model, and is refused unless the configuration accepts it."""
        for path in (b"/v1/uploads", b"/v1/uploads/u-1/parts", b"/openai/files/import"):
            error = self.refused(EndpointUnchecked, self.policy, b"POST", path, [JSON], HeldBody())
            self.assertIn("unchecked_endpoints", error.description)
        body = HeldBody()
        self.ask({**self.policy, "unchecked_endpoints": ["/v1/uploads"]}, b"POST", b"/v1/uploads/u/parts", [JSON], body)
        self.ask({"param_whitelist": {"model": ["*"]}}, b"POST", b"/v1/uploads", [JSON], HeldBody(0))
        self.assertEqual(len(self.inner.requests), 2)

    def test_override_in_forms(self) -> None:
        """A form that asks for another method is refused where methods are restricted, however the name is spelled."""
        for name, refused in (
            (b"_method", True),
            (b"_METHOD", True),
            (b" _method", True),
            (b".method", True),
            (b"_method[]", True),
            (b"_method\0x", True),
            (b"_HttpMethod", True),
            (b"X-HTTP-Method-Override", True),
            (b"$httpHeaders", True),
            (b"method", False),
            (b"my_method", False),
            (b"methods", False),
        ):
            plain = quote(name).encode()
            part = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\nDELETE\r\n--b--\r\n'
            for kind, content in (
                (b"application/x-www-form-urlencoded", b"a=1&" + plain + b"=DELETE"),
                (b"multipart/form-data; boundary=b", part % name.strip().partition(b"\0")[0]),
                (b"multipart/form-data; boundary=b", part % plain),
            ):
                for methods in (["GET", "POST"], []):
                    policy = {**self.policy, "allowed_methods": methods, "max_inspected_body": 1000}
                    result = self.form(policy, kind, content)
                    if refused and methods:
                        error = self.failureResultOf(result, MethodNotAllowed).value
                        self.assertEqual(error.fields, ((b"Allow", b"GET, POST, HEAD"),), (name, kind))
                    else:
                        self.assertEqual(self.successResultOf(result), content, (name, kind, methods))

    def form(self, policy: dict[str, Any], kind: bytes, content: bytes) -> Deferred[bytes]:
        """What is passed on of a form, which is multipart if it is passed on before it is here."""
        body, reader = HeldBody(len(content)), Reader()
        self.inner.requests.clear()
        responding: Deferred[Any] = self.ask(policy, b"POST", b"/v1", [(b"Content-Type", kind)], body)
        passes = bool(self.inner.requests)
        if passes:
            responding = self.inner.requests[0].body.startProducing(reader)  # type: ignore[union-attr]
        body.write(content)
        body.end()
        self.clock.pump([0.0] * 5)
        if not passes and self.inner.requests:
            responding = self.inner.requests[0].body.startProducing(reader)  # type: ignore[union-attr]
        return responding.addCallback(lambda _: reader.data)

    def test_any_method(self) -> None:
        """A body is checked whatever the method."""
        body = HeldBody()
        responding = self.ask(self.policy, b"GET", b"/v1", [JSON], body)
        body.write(b'{"model":"gpt-5"}')
        body.end()
        self.failureResultOf(responding, ParamNotAllowed)

    def test_no_body(self) -> None:
        """Without a body there is nothing to read."""
        self.ask(self.policy, b"GET", b"/v1")
        self.ask(self.policy, b"POST", b"/v1", [], HeldBody(0))
        self.assertEqual(len(self.inner.requests), 2)

    def test_unreadable(self) -> None:
        """A body that only upstream could read is refused before it is read."""
        for lines in ([b"compress"], [b"identity", b"compress"], [b"gzip, compress"]):
            coded = [JSON, *((b"Content-Encoding", line) for line in lines)]
            error = self.refused(UnsupportedMediaType, self.policy, b"POST", b"/v1", coded, HeldBody(9))
            self.assertEqual(error.fields[0][0], b"Accept-Encoding", lines)
        twice = [(b"Content-Type", b"text/plain"), JSON]
        self.refused(BadRequest, self.policy, b"POST", b"/v1", twice, HeldBody(9))

    def test_too_large(self) -> None:
        """No more is held than is allowed; a length that is known is refused unread."""
        body = HeldBody(65)
        self.failureResultOf(self.ask(self.policy, b"POST", b"/v1", [JSON], body), ContentTooLarge)
        self.assertIsNone(body.consumer)
        body = HeldBody()
        responding = self.ask(self.policy, b"POST", b"/v1", [JSON], body)
        body.write(b" " * 64)
        self.assertNoResult(responding)
        body.write(b" ")
        self.failureResultOf(responding, ContentTooLarge)
        self.assertEqual(body.calls, ["stopped"])

    def test_left_while_reading(self) -> None:
        """A client that leaves during its upload is not waited for."""
        body = HeldBody()
        responding = self.ask(self.policy, b"POST", b"/v1", [JSON], body)
        body.write(b"{")
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.assertEqual((body.calls, self.inner.requests), (["cancelled"], []))

    def test_left_before_head(self) -> None:
        """A client that leaves after its upload cancels the call."""
        responding = self.send(GOOD)
        responding.cancel()
        self.failureResultOf(responding, CancelledError)
        self.assertEqual(self.inner.cancelled, 1)
