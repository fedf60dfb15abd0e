"""Reports of usage in pages."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.backend import Answer, ApiError
from llmproxy.admin.reports import charts, report
from llmproxy.admin.spans import SPANS

from .test_visit import a_visit


class Api:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        self.asked = (path, more["query"])
        if isinstance(self.answer, Exception):
            raise self.answer
        return Answer(self.answer)


class ReportTests(SynchronousTestCase):
    def done(self, coroutine: Any) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def test_asked(self) -> None:
        """A report begins with a whole period, in the reader's time zone."""
        api = Api({"data": []})
        self.done(report(a_visit(api, now=1_700_000_000.0), SPANS[1], "/projects/x/usage", group_by="day"))
        asked = {"from": "2023-11-07T00:00:00Z", "tz": "UTC", "group_by": "day"}
        self.assertEqual(api.asked, ("/projects/x/usage", asked))

    def test_not_kept(self) -> None:
        """Where no usage is kept there is no report; any other fault is one."""
        off = ApiError(503, "x", "Service temporarily unavailable", "no usage is kept: ledger is off")
        self.assertIsNone(self.done(report(a_visit(Api(off)), SPANS[0])))
        away = ApiError(503, "x", "Service temporarily unavailable")
        self.failureResultOf(Deferred.fromCoroutine(report(a_visit(Api(away)), SPANS[0])), ApiError)

    def test_charts(self) -> None:
        """What failed is drawn apart from what was answered."""
        rows = [{"day": "2023-11-14", "requests": 5, "errors": 2, "cost": "0.5"}]
        made = charts(a_visit(now=1_700_000_000.0), SPANS[1], {"data": rows})
        self.assertEqual([(name, values[-1]) for name, values in made["requests"]], [("answered", 3), ("failed", 2)])
        self.assertEqual(made["spend"][0][1][-1], 0.5)
        self.assertEqual(len(made["ticks"]), 8)
