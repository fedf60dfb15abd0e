"""Tests for L{llmproxy.core.inspection.batchlines}."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.batchlines import LONGEST_LINE, BatchLines
from llmproxy.core.inspection.endpointrules import EndpointRules
from llmproxy.core.inspection.steps import finish
from llmproxy.errors import BadRequest, EndpointNotFound, ParamNotAllowed, TooMuchWithheld
from llmproxy.providers.registry import PLACES

from ...tables import row

GENERAL = EndpointRules.compile({"model": ["ok"]}, places=PLACES)
OWN = EndpointRules.compile({"model": ["ok"], "/v1/embeddings": {"model": ["emb"]}}, ["/v1/free"], places=PLACES)


def line(model: str = "ok", url: str = "/v1/chat/completions") -> bytes:
    return json.dumps({"custom_id": "1", "method": "POST", "url": url, "body": {"model": model}}).encode()


class BatchLinesTests(SynchronousTestCase):
    held = 0

    def room(self, size: int) -> None:
        self.held += size

    def judge(self, data: bytes, everywhere: EndpointRules = GENERAL, size: int = 7) -> None:
        assert everywhere.general is not None
        lines = BatchLines(everywhere.general, everywhere, self.room)
        for at in range(0, len(data), size):
            finish(lines.feed(data[at : at + size]))
        finish(lines.end())

    def test_good(self) -> None:
        """Good lines pass, with any line break, blank lines between, and no break at the end."""
        for data in (line() + b"\n" + line(), line() + b"\r\n\r\n" + line() + b"\n", b"", b"\n"):
            for size in (1, 1000):
                self.judge(data, size=size)
        self.assertEqual(self.held, 0)

    def test_bad(self) -> None:
        """One bad line anywhere is found, however it is parted."""
        for bad in (line("evil"), line().replace(b'"model"', b'"MODEL": "evil", "model"')):
            for data in (bad, line() + b"\n" + bad, bad + b"\n" + line()):
                with row(bad, data):
                    self.assertRaises((ParamNotAllowed, BadRequest), self.judge, data)

    def test_unreadable(self) -> None:
        """What is not a JSON object on each line is refused, since upstream could read calls in it."""
        for data in (b"[1]", b'"x"', line() + b"\r" + line(), line() + line(), b"\xef\xbb\xbf" + line(), line()[:-1]):
            with row(data):
                self.assertRaises(BadRequest, self.judge, data)

    def test_early(self) -> None:
        """A bad line is known when it is complete, not at the end of the file."""
        assert GENERAL.general is not None
        lines = BatchLines(GENERAL.general, GENERAL, self.room)
        self.assertRaises(ParamNotAllowed, finish, lines.feed(line("evil") + b"\n{"))

    def test_blank_lines(self) -> None:
        """Lines without anything in them are passed in slices too."""
        assert GENERAL.general is not None
        lines = BatchLines(GENERAL.general, GENERAL, self.room)
        self.assertGreater(sum(1 for _ in lines.feed(line() + b"\n" * 20_000)), 10)

    def test_url(self) -> None:
        """The rules of the endpoint that a line is for are those that judge it."""
        for model, url, kind in (
            ("emb", "/v1/embeddings", None),
            ("ok", "/v1/embeddings", ParamNotAllowed),
            ("ok", "/v1/chat/completions", None),
            ("emb", "/v1/chat/completions", ParamNotAllowed),
            ("evil", "/v1/free/x", None),
            ("emb", "/V1/embeddings", EndpointNotFound),
            ("ok", "/openai/deployments/evil/chat/completions", ParamNotAllowed),
            ("ok", "https://other.example/openai/deployments/evil/chat/completions?x=1", ParamNotAllowed),
        ):
            if kind is None:
                self.judge(line(model, url), OWN)
            else:
                with row(model):
                    self.assertRaises(kind, self.judge, line(model, url), OWN)
        self.assertRaises(ParamNotAllowed, self.judge, b'{"body":{"model":"evil"}}', OWN)
        self.assertRaises(ParamNotAllowed, self.judge, line("ok", "/openai/deployments/evil/x"))

    def test_bounds(self) -> None:
        """No line is held that is longer than the bound, or for which there is no memory."""
        assert GENERAL.general is not None

        def full(size: int) -> None:
            raise TooMuchWithheld()

        self.assertRaises(TooMuchWithheld, finish, BatchLines(GENERAL.general, GENERAL, full).feed(b"{"))
        lines = BatchLines(GENERAL.general, GENERAL, self.room)

        def feed() -> Any:
            for _ in range(LONGEST_LINE // (1 << 20) + 1):
                finish(lines.feed(b"{" * (1 << 20)))

        self.assertRaises(BadRequest, feed)
        self.assertLessEqual(self.held, LONGEST_LINE)
