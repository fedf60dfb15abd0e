"""Tests for L{llmproxy.store.tablemetadata}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store import schema
from llmproxy.store.tablemetadata import metadata


class MetadataTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Who knows the schema knows the tables of every module: a backup takes them all."""
        self.assertIs(schema.metadata, metadata)
        self.assertLessEqual({"people", "tokens", "usage_rollups"}, set(metadata.tables))
