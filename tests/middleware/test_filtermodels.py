"""Tests for L{llmproxy.middleware.filtermodels}."""

from __future__ import annotations

import gzip
from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import ApiSettings
from llmproxy.bodies import BytesBody
from llmproxy.core.fields import first
from llmproxy.errors import UpstreamProtocolError
from llmproxy.message import ApiResponse, Field, Principal
from llmproxy.middleware.allowing import Allowing
from llmproxy.middleware.filtermodels import FilterModels, filter_models_for
from llmproxy.usagelimits import UNLIMITED, UsageLimits

from ..tables import row
from .fakes import PRINCIPAL, HeldBody, Inner, Reader, a_request, an_api

LIST = b'{"object":"list","data":[{"id":"gpt-4o"},{"id":"o3"}]}'
MINE = b'{"object":"list","data":[{"id":"gpt-4o"}]}'
FIELDS: list[Field] = [
    (b"Content-Type", b"application/json"),
    (b"Content-Length", b"%d" % len(LIST)),
    (b"ETag", b'"x"'),
    (b"Cache-Control", b"public, max-age=60"),
]


class FilterCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.inner = Inner()

    def ask(
        self,
        limits: UsageLimits = UsageLimits(models=("gpt-4o*",)),
        method: bytes = b"GET",
        target: bytes = b"/v1/models",
        fields: list[Field] | None = None,
        enabled: bool = True,
        policy: dict[str, Any] | None = None,
    ) -> Deferred[ApiResponse]:
        principal = Principal(evolve(PRINCIPAL.token, limits=limits), PRINCIPAL.project)
        api = an_api(policy=policy, settings=ApiSettings(filter_models=enabled))
        request = a_request(method, target, fields or [], None, api=api, principal=principal)
        return FilterModels(Allowing(UNLIMITED)).respond(request, self.inner)

    def answer(self, content: bytes = LIST, status: int = 200, *fields: Field) -> ApiResponse:
        response = ApiResponse(status, b"OK", [*FIELDS, *fields], BytesBody(content))
        self.inner.answer(response)
        return response

    def shown(self, asking: Deferred[ApiResponse]) -> tuple[ApiResponse, bytes]:
        response = self.successResultOf(asking)
        reader = Reader()
        assert response.body is not None
        response.body.startProducing(reader)
        return response, reader.data


class FilterTests(FilterCase):
    def test_filtered(self) -> None:
        """A caller sees the models of its list; what says something of the whole answer is taken away."""
        asking = self.ask(
            fields=[(b"If-None-Match", b'"x"'), (b"Range", b"bytes=0-9"), (b"Accept-Encoding", b"br"), (b"X", b"1")]
        )
        self.assertEqual(self.inner.requests[0].fields, [(b"X", b"1"), (b"Accept-Encoding", b"identity")])
        self.answer()
        response, content = self.shown(asking)
        self.assertEqual(content, MINE)
        self.assertEqual(
            response.fields,
            [
                (b"Content-Type", b"application/json"),
                (b"Cache-Control", b"no-store"),
                (b"Content-Length", b"%d" % len(MINE)),
            ],
        )

    def test_whitelist(self) -> None:
        """What the API itself allows no caller is not shown either."""
        asking = self.ask(UNLIMITED, policy={"param_whitelist": {"model": ["gpt-*"]}})
        self.answer()
        self.assertEqual(self.shown(asking)[1], MINE)

    def test_untouched(self) -> None:
        """Where nothing is restricted, or another thing is asked, request and answer are what they were."""
        for words in (
            {"enabled": False},
            {"limits": UNLIMITED},
            {"limits": UsageLimits(models=("*",))},
            {"target": b"/v1/models/gpt-4o"},
            {"method": b"POST"},
            {"target": b"/v1/files"},
        ):
            with row(words):
                fields: list[Field] = [(b"If-None-Match", b'"x"')]
                asking = self.ask(fields=fields, **words)  # type: ignore[arg-type]
                answer = self.answer()
                self.assertEqual(self.inner.requests[-1].fields, fields)
                self.assertIs(self.successResultOf(asking), answer)
                self.assertEqual(answer.fields, FIELDS)

    def test_other_answers(self) -> None:
        """An error goes on as it is; HEAD has no length of a body that the caller would not get."""
        asking = self.ask()
        answer = self.answer(b"no", 401)
        self.assertIs(self.successResultOf(asking), answer)
        asking = self.ask(method=b"HEAD")
        self.inner.answer(ApiResponse(200, b"", list(FIELDS)))
        self.assertIsNone(first(self.successResultOf(asking).fields, b"content-length"))

    def test_coded(self) -> None:
        """A server that compresses all the same is read; what the caller gets is not compressed."""
        asking = self.ask()
        self.answer(gzip.compress(LIST), 200, (b"Content-Encoding", b"gzip"))
        response, content = self.shown(asking)
        self.assertEqual((content, first(response.fields, b"content-encoding")), (MINE, None))

    def test_unreadable(self) -> None:
        """What cannot be read is not shown."""
        for content, fields in (
            (b"<html>", ()),
            (b'{"o3": 1}', ()),
            (LIST, ((b"Content-Encoding", b"rot13"),)),
            (gzip.compress(LIST)[:-9], ((b"Content-Encoding", b"gzip"),)),
        ):
            with row(content, fields):
                asking = self.ask()
                self.answer(content, 200, *fields)
                self.failureResultOf(asking, UpstreamProtocolError)

    def test_bound(self) -> None:
        """A list without end is not held."""
        asking = self.ask(policy={"max_inspected_body": 100})
        body = HeldBody()
        self.inner.answer(ApiResponse(200, b"", [], body))
        body.write(b" " * 101)
        self.failureResultOf(asking, UpstreamProtocolError)
        self.assertEqual(body.calls[-1], "stopped")

    def test_client_left(self) -> None:
        """A client that leaves while the list comes stops it."""
        asking = self.ask()
        body = HeldBody()
        self.inner.answer(ApiResponse(200, b"", [], body))
        body.write(b'{"data":')
        asking.cancel()
        self.failureResultOf(asking, CancelledError)
        self.assertEqual(body.calls[-1], "cancelled")

    def test_made(self) -> None:
        """Where no API has it so, nothing stands in the chain."""
        self.assertIsNone(filter_models_for([an_api()], Allowing(UNLIMITED)))
        self.assertIsNotNone(filter_models_for([an_api(settings=ApiSettings(filter_models=True))], Allowing(UNLIMITED)))
