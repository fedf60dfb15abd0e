"""Tests for L{llmproxy.core.running}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.running import running_of, together
from llmproxy.record import Record


def a_record(name: str, **changes: object) -> Record:
    record = Record(name, "POST", "/v1/x", "192.0.2.1", 0.0)
    for key, value in changes.items():
        setattr(record, key, value)
    return record


class RunningTests(SynchronousTestCase):
    def test_oldest_first(self) -> None:
        """Those that run longest, within a bound; all are counted."""
        found = running_of([(a_record("b"), 5.0), (a_record("a"), 1.0), (a_record("c"), 9.0)], 10.0, 2)
        self.assertEqual(found["total"], 3)
        self.assertEqual([(each["id"], each["age"]) for each in found["exchanges"]], [("a", 9.0), ("b", 5.0)])

    def test_shown(self) -> None:
        """The model is that which was served, the status null until there is one."""
        waits, streams = a_record("a", model="m"), a_record("b", model="alias", served="m2", status=200, streamed=True)
        first, second = running_of([(waits, 0.0), (streams, 0.0)], 1.0)["exchanges"]
        self.assertEqual((first["model"], first["status"], first["streamed"]), ("m", None, False))
        self.assertEqual((second["model"], second["status"], second["streamed"]), ("m2", 200, True))

    def test_together(self) -> None:
        """Of several processes, in one order."""
        one = running_of([(a_record("a"), 1.0), (a_record("c"), 8.0)], 10.0)
        other = running_of([(a_record("b"), 5.0)], 10.0)
        found = together([one, other], 2)
        self.assertEqual((found["total"], [each["id"] for each in found["exchanges"]]), (3, ["a", "b"]))
        self.assertEqual(together([]), {"total": 0, "exchanges": []})
