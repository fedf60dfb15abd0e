"""Tests for L{llmproxy.middleware.checking.inspection}."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bodies import BytesBody
from llmproxy.core import codings
from llmproxy.errors import (
    BadRequest,
    ClientLeft,
    ContentTooLarge,
    ParamNotAllowed,
    RequestBodyTimeout,
    TooMuchWithheld,
    UnsupportedMediaType,
)
from llmproxy.message import ApiResponse, Field, Principal, Project
from llmproxy.middleware.checking.inspection import Inspection
from llmproxy.middleware.restrict import Restrict
from llmproxy.net.timers import TimerWheel

from ...tables import row
from ..fakes import PRINCIPAL, HeldBody, Inner, Reader, a_request, a_response, an_api

JSON: Field = (b"Content-Type", b"application/json")
FORM: Field = (b"Content-Type", b"multipart/form-data; boundary=xYz")
GOOD = b'{"model":"ok"}'
EVIL = b'{"model":"evil"}'
MIB = 1 << 20


def form(model: str, file: bytes = b"audio") -> bytes:
    part = '--xYz\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
    head = (part % ("file", '; filename="a.mp3"')).encode() + file + b"\r\n"
    return head + (part % ("model", "")).encode() + model.encode() + b"\r\n--xYz--\r\n"


class InspectionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.wheel = TimerWheel(self.clock)
        self.inner = Inner()
        self.inspection = Inspection(self.clock, self.wheel, 100 * MIB, 1024.0)

    principal: Principal | None = None

    def ask(self, body: Any, *fields: Field, path: bytes = b"/v1/chat/completions") -> Deferred[ApiResponse]:
        policy = {"param_whitelist": {"model": ["ok"]}, "max_inspected_body": 20 * MIB}
        request = a_request(b"POST", path, list(fields), body, api=an_api(policy=policy), principal=self.principal)
        self.request = request
        return Restrict(self.inspection).respond(request, self.inner)

    def settle(self) -> None:
        for _ in range(2000):
            if not self.clock.getDelayedCalls() or self.clock.getDelayedCalls()[0].getTime() > self.clock.seconds():
                break
            self.clock.advance(0)

    def taken(self) -> bytes:
        """What upstream gets."""
        body = self.inner.requests[-1].body
        assert body is not None
        reader = Reader()
        body.startProducing(reader)
        return reader.data


class CodingTests(InspectionCase):
    encoders: dict[bytes, Any] = {b"gzip": gzip.compress, b"deflate": zlib.compress}
    if b"zstd" in codings.available():
        encoders[b"zstd"] = codings._zstd().compress
    if b"br" in codings.available():
        encoders[b"br"] = codings._brotli().compress

    def test_same_bytes(self) -> None:
        """A coded body is decoded for the check alone: what goes on are the bytes that came."""
        for coding, encode in self.encoders.items():
            data = encode(GOOD)
            self.ask(BytesBody(data), JSON, (b"Content-Encoding", coding))
            self.settle()
            self.assertEqual((self.taken(), self.request.model), (data, "ok"), coding)
            self.assertIn((b"Content-Encoding", coding), self.request.fields)

    def test_refused(self) -> None:
        """What is in it is judged as if it were not coded."""
        for coding, encode in self.encoders.items():
            asking = self.ask(BytesBody(encode(EVIL)), JSON, (b"content-encoding", coding.upper()))
            self.settle()
            self.failureResultOf(asking, ParamNotAllowed)
        self.assertEqual((self.inner.requests, self.inspection.budget.used), ([], 0))

    def test_several(self) -> None:
        """Codings over each other are undone in order, on one line or on several."""
        data = zlib.compress(gzip.compress(EVIL))
        for lines in ([b"gzip, deflate"], [b"gzip", b"deflate"], [b"GZIP ,identity", b",deflate,"]):
            asking = self.ask(BytesBody(data), JSON, *((b"Content-Encoding", line) for line in lines))
            self.settle()
            self.failureResultOf(asking, ParamNotAllowed)
        asking = self.ask(BytesBody(data), JSON, (b"Content-Encoding", b"deflate, gzip"))
        self.settle()
        self.failureResultOf(asking, BadRequest)

    def test_second_line(self) -> None:
        """A coding is not passed over because it stands on a second line."""
        data = gzip.compress(EVIL)
        asking = self.ask(BytesBody(data), JSON, (b"Content-Encoding", b"identity"), (b"Content-Encoding", b"gzip"))
        self.settle()
        self.failureResultOf(asking, ParamNotAllowed)

    def test_bomb(self) -> None:
        """What decodes to more than is checked is refused, and nothing stays behind."""
        for size in (21 * MIB, 3 * MIB):
            data = gzip.compress(b'{"model":"ok","x":"' + b" " * size + b'"}')
            asking = self.ask(BytesBody(data), JSON, (b"Content-Encoding", b"gzip"))
            self.settle()
            self.failureResultOf(asking, ContentTooLarge)
        self.assertEqual(self.inspection.budget.used, 0)
        self.assertLess(self.inspection.budget.peak, 6 * MIB)

    def test_form(self) -> None:
        """A coded form is judged while it passes."""
        for model in ("ok", "evil"):
            data = gzip.compress(form(model))
            self.ask(BytesBody(data), FORM, (b"Content-Encoding", b"gzip"))
            reader = Reader()
            producing = self.inner.requests[-1].body.startProducing(reader)  # type: ignore[union-attr]
            self.settle()
            if model == "ok":
                self.successResultOf(producing)
                self.assertEqual(reader.data, data, model)
            else:
                self.failureResultOf(producing, ParamNotAllowed)
                self.assertEqual(reader.data, b"", model)

    def test_unknown(self) -> None:
        """A coding that nobody here can undo is a 415 before anything is read."""
        body = HeldBody()
        for kind in (JSON, FORM):
            with row(kind):
                self.assertRaises(UnsupportedMediaType, self.ask, body, kind, (b"Content-Encoding", b"compress"))
        self.assertIsNone(body.consumer)


class BudgetTests(InspectionCase):
    def filled(self, size: int) -> tuple[HeldBody, Deferred[ApiResponse]]:
        body = HeldBody()
        asking = self.ask(body, JSON)
        body.write(b'{"model":"ok","x":"')
        for _ in range(size // 65536):
            body.write(b"x" * 65536)
        return body, asking

    def test_forty(self) -> None:
        """Of forty connections with 10 MiB each as many are held as the budget has room for, the others get a 503."""
        held = [self.filled(10 * MIB) for _ in range(40)]
        refused = [asking for _, asking in held if asking.called]
        for asking in refused:
            error = self.failureResultOf(asking, TooMuchWithheld).value
            self.assertEqual((error.status, error.fields), (503, ((b"Retry-After", b"1"),)), asking)
        self.assertLessEqual(self.inspection.budget.peak, 100 * MIB)
        self.assertLessEqual(len(refused), 32)
        for body, asking in held:
            if not asking.called:
                asking.cancel()
                self.failureResultOf(asking, CancelledError)
        self.assertEqual(self.inspection.budget.used, 0)

    def test_projects(self) -> None:
        """What one project sends, however much, leaves room for the bodies of another one."""
        self.principal = PRINCIPAL
        held = [self.filled(10 * MIB) for _ in range(40)]
        self.principal = Principal(PRINCIPAL.token, Project("p-2", "two", {}))
        other = self.filled(19 * MIB)
        self.assertFalse(other[1].called)
        for _, asking in (*held, other):
            asking.addErrback(lambda reason: reason.trap(CancelledError, TooMuchWithheld))
            asking.cancel()
        self.assertEqual(self.inspection.budget.used, 0)

    def test_given_back(self) -> None:
        """When the answer has begun, or there will be none, what the body took is given back."""
        body, asking = self.filled(MIB)
        body.write(b'"}')
        body.end()
        self.settle()
        self.assertGreater(self.inspection.budget.used, MIB)
        self.assertTrue(self.taken().endswith(b'x"}'))
        self.inner.answer(a_response())
        self.successResultOf(asking)
        self.assertEqual(self.inspection.budget.used, 0)
        for end in (lambda: self.inner.fail(ClientLeft()), lambda: asking.cancel()):
            body, asking = self.filled(MIB)
            body.write(b'"}')
            body.end()
            self.settle()
            end()
            self.failureResultOf(asking, ClientLeft, CancelledError)
            self.assertEqual(self.inspection.budget.used, 0, end)

    def test_left(self) -> None:
        """A client that leaves in the middle of its body gives back what it took."""
        body, asking = self.filled(MIB)
        body.fail(ClientLeft())
        self.failureResultOf(asking, ClientLeft)
        self.assertEqual(self.inspection.budget.used, 0)
        # What was freed is given back to the system soon after, and then no timer is left.
        self.assertEqual(self.wheel.standing, 1)
        for _ in range(5):
            self.clock.advance(0.1)
        self.assertEqual(self.wheel.standing, 0)

    def test_refused(self) -> None:
        """So does a body that is refused."""
        body, asking = self.filled(MIB)
        body.write(b'","model":1}')
        body.end()
        self.settle()
        self.failureResultOf(asking, BadRequest)
        self.assertEqual(self.inspection.budget.used, 0)

    def test_trickle(self) -> None:
        """A body that is held back must come at the lowest rate, or is ended with 408."""
        body, asking = self.filled(0)
        for _ in range(110):
            self.clock.advance(0.1)
        self.failureResultOf(asking, RequestBodyTimeout)
        self.assertEqual((self.inspection.budget.used, body.calls), (0, ["stopped"]))


class FormTests(InspectionCase):
    def test_passes(self) -> None:
        """A form is not held back: its bytes go on as they come, and its model is known when it has passed."""
        data = form("ok", b"x" * MIB)
        body = HeldBody(len(data))
        self.ask(body, FORM)
        reader = Reader()
        self.inner.requests[0].body.startProducing(reader)  # type: ignore[union-attr]
        for at in range(0, len(data), 65536):
            body.write(data[at : at + 65536])
            self.settle()
            self.assertEqual(reader.data, data[: at + 65536], at)
        body.end()
        self.assertEqual((self.request.model, self.inspection.budget.peak), ("ok", 0))

    def test_batch(self) -> None:
        """The first bad line of a batch file breaks the upload; the rest of it never goes on."""
        line = json.dumps({"custom_id": "1", "body": {"model": "ok"}}).encode() + b"\n"
        part = b'--xYz\r\nContent-Disposition: form-data; name="%b"\r\n\r\n'
        begin = part % b"purpose" + b"batch\r\n" + part % b'file"; filename="b.jsonl'
        body = HeldBody()
        self.ask(body, FORM, path=b"/v1/files")
        reader = Reader()
        producing = self.inner.requests[0].body.startProducing(reader)  # type: ignore[union-attr]
        body.write(begin)
        for _ in range(100):
            body.write(line)
            self.settle()
        body.write(line.replace(b"ok", b"evil") + line)
        self.settle()
        self.failureResultOf(producing, ParamNotAllowed)
        body.write(line)
        self.assertEqual(reader.data, begin + 100 * line)
        self.assertEqual((body.calls[-1], self.inspection.budget.used), ("stopped", 0))

    def test_trickle(self) -> None:
        """A line of which a byte comes now and then is not held for ever; one that waits for upstream is."""
        part = b'--xYz\r\nContent-Disposition: form-data; name="%b"\r\n\r\n'
        for full in (False, True):
            body = HeldBody()
            self.ask(body, FORM, path=b"/v1/files")
            guarded = self.inner.requests[-1].body
            assert guarded is not None
            producing = guarded.startProducing(Reader())
            body.write(
                part % b"purpose" + b"batch\r\n" + part % b'file"; filename="b.jsonl' + b'{"x":"' + b"x" * 100_000
            )
            self.settle()
            if full:
                guarded.pauseProducing()
            for _ in range(300):
                self.clock.advance(0.1)
            if full:
                with row(full):
                    self.assertNoResult(producing)
                guarded.stopProducing()
            else:
                self.failureResultOf(producing, RequestBodyTimeout)
            for _ in range(5):
                self.clock.advance(0.1)
            self.assertEqual((self.inspection.budget.used, self.wheel.standing), (0, 0), full)

    def test_lines_are_counted(self) -> None:
        """A line that is not complete is held, and counts with all that is."""
        self.inspection.budget.limit = 1000
        part = b'--xYz\r\nContent-Disposition: form-data; name="%b"\r\n\r\n'
        body = HeldBody()
        self.ask(body, FORM, path=b"/v1/files")
        producing = self.inner.requests[0].body.startProducing(Reader())  # type: ignore[union-attr]
        body.write(part % b"purpose" + b"batch\r\n" + part % b'file"; filename="b.jsonl' + b'{"x":"')
        body.write(b"x" * 2000)
        self.settle()
        self.failureResultOf(producing, TooMuchWithheld)
        self.assertEqual(self.inspection.budget.used, 0)
