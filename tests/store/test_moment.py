"""Tests of L{llmproxy.store.moment}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.moment import Moment

from ..properties import examples


class MomentTests(SynchronousTestCase):
    @settings(max_examples=examples(50), deadline=None)
    @given(st.integers(0, 2**52))
    def test_exact(self, microseconds: int) -> None:
        """A moment comes back as it went in, to the microsecond, until the year 2112."""
        dialect = sqlite.dialect()
        moment = Moment().process_result_value(microseconds, dialect)
        assert Moment().process_bind_param(moment, dialect) == microseconds

    def test_none(self) -> None:
        """No moment stays none."""
        self.assertIsNone(Moment().process_bind_param(None, sqlite.dialect()))
        self.assertIsNone(Moment().process_result_value(None, sqlite.dialect()))
