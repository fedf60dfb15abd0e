"""Shapes of reports, records and forecasts: they have the members that are shown."""

from __future__ import annotations

from datetime import timezone

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.forecast import forecast
from llmproxy.core.ledger.entry import Counts
from llmproxy.core.reportgroups import GROUPS
from llmproxy.core.reports import UsageQuestion, UsageSums
from llmproxy.management.usageanswers import plain, plain_forecast, plain_record, plain_sums
from llmproxy.web.manage.usageviews import ForecastView, RowView, SumsView, UsageRecordView, UsageReport

from ...usagereports import MemoryReports, an_entry


class ViewTests(SynchronousTestCase):
    def test_what_is_shown(self) -> None:
        """Every answer is what the document says, all members included."""
        entry = an_entry(1, 10.5, saved=Counts(1), tags={"team": "a"})
        question = UsageQuestion(GROUPS)
        report = plain(question, self.successResultOf(MemoryReports([entry]).grouped(question)))
        report["forecast"] = plain_forecast(forecast({}, 0.0, timezone.utc))
        for value, view in (
            (plain_record(entry), UsageRecordView),
            (plain_record(an_entry(2, 10.0, raw=None, cost=None)), UsageRecordView),
            (plain_sums(UsageSums()), SumsView),
            (report["data"][0], RowView),
            (report["forecast"], ForecastView),
            (report, UsageReport),
        ):
            made = msgspec.convert(value, view)
            self.assertEqual(set(msgspec.to_builtins(made)), set(value), view.__name__)
