"""Places of the files of sinks."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events.places import letters_of, sinks_directory, spool_of


class PlaceTests(SynchronousTestCase):
    def test_directories(self) -> None:
        """Beside the database's file where there is one; nowhere for one that is in memory."""
        for url, directory in (
            ("", "./data/sinks"),
            (":memory:", None),
            ("sqlite://", None),
            ("sqlite:///:memory:", None),
            ("./data/llm.db", "./data/sinks"),
            ("sqlite:////var/lib/x.db?a=b", "/var/lib/sinks"),
            ("postgresql://u:p@h/d", "./data/sinks"),
        ):
            self.assertEqual(sinks_directory(url), directory, url)
        self.assertEqual((spool_of("d", "a"), letters_of("d", "a")), ("d/a", "d/a.dead.jsonl"))
