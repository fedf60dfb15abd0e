"""Events as JSON."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.events import Content, decode, encode, encode_legacy, event_of_record
from tests.tables import row

from .samples import event, full_record


class EncodingTests(SynchronousTestCase):
    def test_back_and_forth(self) -> None:
        """What is spooled is read again as what it was."""
        made = event_of_record(full_record(), content=Content(request_body=["x"], response_headers={"a": ["b"]}))
        self.assertEqual(decode(encode(made)), made)

    def test_form(self) -> None:
        """One line, the time in UTC, nothing that says nothing."""
        line = encode(event())
        self.assertNotIn(b"\n", line)
        self.assertEqual(
            json.loads(line),
            {
                "id": "e-1",
                "schema_version": 1,
                "kind": "exchange",
                "time": "2026-11-30T00:53:20.250000Z",
                "request_id": "r-1",
                "method": "POST",
                "path": "/v1/chat/completions",
                "api": "openai",
                "status": 200,
                "ended": "complete",
            },
        )

    def test_what_json_has_not(self) -> None:
        """An event is never lost for half a character, a huge number or a strange object in its details."""
        odd = event(path="/\udc80", usage={"n": 2**70}, details={"o": {1, 2}, "x": object()})
        read = json.loads(encode(odd))
        self.assertEqual((read["path"], read["usage"], read["details"]["o"]), ("/?", {"n": str(2**70)}, [1, 2]))
        self.assertNotIn("token_id", read)
        self.assertEqual(decode(encode(odd)).time, odd.time)

    def test_deep(self) -> None:
        """Details that are nested without end are cut, and the event is written."""
        deep: dict[str, object] = {}
        deep["itself"] = deep
        self.assertEqual(decode(encode(event(details=deep))).id, "e-1")

    def test_newer(self) -> None:
        """Fields of a later release are ignored."""
        self.assertEqual(decode(encode(event())[:-1] + b',"later":{"x":1}}'), event())

    def test_no_event(self) -> None:
        """What is none is refused with a reason, and never taken for an empty one."""
        for data in (b"", b"{}", b"[]", b'{"id":"x"}', b'{"id":"x","time":"yesterday"}', b"[" * 5000, b"\xff", b"null"):
            with row(data[:20]), self.assertRaises(ValueError):
                decode(data)
        self.assertRaisesRegex(ValueError, "schema 2", decode, encode(event(schema_version=2)))

    def test_legacy_is_read(self) -> None:
        """A stream that the reference has written to is read by the same function."""
        self.assertEqual(decode(encode_legacy(event())).request_id, "r-1")
