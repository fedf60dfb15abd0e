"""What holds for an API whose configuration says no more than C{cache:}."""

from __future__ import annotations

from attrs import evolve, fields
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import CacheSettings
from llmproxy.config import CacheConfig
from llmproxy.core.caching.settings import DEFAULT


class CacheSettingsTests(SynchronousTestCase):
    def test_careful(self) -> None:
        """Unasked, nothing is shared by projects, no POST and no stream is stored, nothing gets a lifetime of ours."""
        found = (DEFAULT.scope, DEFAULT.post, DEFAULT.streams, DEFAULT.default_ttl)
        self.assertEqual(found, ("project", "off", False, 0.0))

    def test_bounded(self) -> None:
        """Whatever is stored has an end, in bytes and in seconds."""
        for name in ("post_max_body", "post_max_age", "heuristic_max", "max_object", "keep_stale"):
            self.assertTrue(0 < getattr(DEFAULT, name) < float("inf"), name)

    def test_heuristic(self) -> None:
        """A tenth of the time since the last change, as RFC 9111 section 4.2.2 has it, and never more than a day."""
        self.assertEqual((DEFAULT.heuristic, DEFAULT.heuristic_max), (0.1, 86400.0))

    def test_all_can_be_said(self) -> None:
        """Each setting can be configured, and one that is not stays as it holds for all."""
        self.assertEqual({each.name for each in fields(CacheSettings)}, {each.name for each in fields(CacheConfig)})
        defaults = evolve(DEFAULT, scope="shared", keep_stale=5.0)
        self.assertEqual(CacheConfig().settings(defaults), defaults)
        self.assertEqual(CacheConfig(keep_stale=0.0).settings(defaults), evolve(defaults, keep_stale=0.0))
