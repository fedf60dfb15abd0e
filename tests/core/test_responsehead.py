"""Tests for L{llmproxy.core.responsehead}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.responsehead import CHUNKED, NO_CONTENT, UNTIL_CLOSE, response_head, trailer_section
from llmproxy.message import Field

UNKNOWN = "unknown"


def head(
    status: int = 200,
    fields: list[Field] | None = None,
    length: object = UNKNOWN,
    head_only: bool = False,
    http11: bool = True,
    keep_alive: bool = True,
) -> tuple[list[bytes], int, bool]:
    """The lines after the status line, what follows, and whether the connection is kept."""
    data, left, kept = response_head(
        status, b"Fine", fields or [], length, head_only=head_only, http11=http11, keep_alive=keep_alive
    )
    lines = data.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 %d Fine" % status
    assert lines[-2:] == [b"", b""]
    return lines[1:-2], left, kept


SIZE: Field = (b"content-length", b"5")

FRAMINGS: list[tuple[str, str, dict[str, Any], list[bytes], int, bool]] = [
    # what, section, arguments, the lines that were added, what follows, kept
    ("a size", "9112 6.2", {"length": 5}, [b"Content-Length: 5"], 5, True),
    ("nothing", "9112 6.3", {"length": 0}, [b"Content-Length: 0"], 0, True),
    ("no end known", "9112 6.1", {}, [b"Transfer-Encoding: chunked"], CHUNKED, True),
    ("to an old client", "9112 6.3", {"http11": False}, [b"Connection: close"], UNTIL_CLOSE, False),
    (
        "a size, old",
        "9112 9.3",
        {"length": 5, "http11": False},
        [b"Content-Length: 5", b"Connection: keep-alive"],
        5,
        True,
    ),
    (
        "the last",
        "9112 9.6",
        {"length": 5, "keep_alive": False},
        [b"Content-Length: 5", b"Connection: close"],
        5,
        False,
    ),
    ("HEAD, a size", "9110 9.3.2", {"length": 5, "head_only": True}, [b"Content-Length: 5"], NO_CONTENT, True),
    ("HEAD", "9110 9.3.2", {"head_only": True}, [b"Transfer-Encoding: chunked"], NO_CONTENT, True),
    ("HEAD, old", "9112 6.3", {"head_only": True, "http11": False}, [b"Connection: keep-alive"], NO_CONTENT, True),
    ("HEAD, none", "9110 9.3.2", {"head_only": True, "length": None}, [], NO_CONTENT, True),
    ("204", "9110 15.3.5", {"status": 204}, [], NO_CONTENT, True),
    ("204, a size", "9110 8.6", {"status": 204, "length": 0}, [], NO_CONTENT, True),
    ("304", "9110 15.4.5", {"status": 304}, [], NO_CONTENT, True),
    ("interim", "9110 15.2", {"status": 103, "keep_alive": False}, [], NO_CONTENT, False),
]


class ResponseHeadTests(SynchronousTestCase):
    def test_framing(self) -> None:
        """Each kind of message ends in the way that this client understands, and its head says so."""
        for what, section, arguments, lines, left, kept in FRAMINGS:
            self.assertEqual(
                (what, section, *head(**arguments)),
                (what, section, lines, left, kept),
                (what, section, arguments, lines, left, kept),
            )

    def test_fields_as_given(self) -> None:
        """Order, case and repeats of the fields are kept."""
        fields = [(b"b", b"1"), (b"A-b", b"2"), (b"B", b"\xff"), (b"b", b"")]
        self.assertEqual(head(fields=fields, length=None)[0], [b"b: 1", b"A-b: 2", b"B: \xff", b"b: "])

    def test_stated_size(self) -> None:
        """A size that the fields state is written once, where it stood."""
        for length in (5, UNKNOWN):
            lines, left, _ = head(fields=[(b"A", b"b"), SIZE, (b"C", b"d")], length=length)
            self.assertEqual((lines, left), ([b"A: b", b"content-length: 5", b"C: d"], 5), length)
        self.assertEqual(head(fields=[SIZE, SIZE], length=5)[0], [b"content-length: 5"])
        self.assertEqual(head(fields=[(b"Content-Length", b"005")], length=5)[:2], ([b"Content-Length: 005"], 5))
        self.assertEqual(head(304, [SIZE])[0], [b"content-length: 5"])
        self.assertEqual(head(204, [SIZE])[0], [])
        self.assertEqual(head(fields=[SIZE], length=None)[:2], ([b"content-length: 5"], NO_CONTENT))

    def test_contradiction(self) -> None:
        """A size that contradicts the content is not sent: the rest would be read as another response."""
        self.assertRaises(ValueError, head, fields=[SIZE], length=6)
        self.assertRaises(ValueError, head, fields=[(b"Content-Length", b"x")])
        self.assertRaises(ValueError, head, fields=[SIZE, (b"Content-Length", b"6")])
        self.assertRaises(ValueError, head, fields=[(b"Content-Length", b"6"), SIZE], length=5)
        self.assertRaises(ValueError, head, fields=[(b"Content-Length", b"-4")])

    def test_framing_of_others(self) -> None:
        """The framing of another connection is replaced by that of this one."""
        fields = [(b"Transfer-Encoding", b"gzip, chunked"), (b"Connection", b"keep-alive, x"), (b"A", b"b")]
        self.assertEqual(head(fields=fields, length=5), ([b"A: b", b"Content-Length: 5"], 5, True))

    def test_close_asked_for(self) -> None:
        """A resource closes the connection by saying so."""
        lines, _, kept = head(fields=[(b"connection", b"Close")], length=0)
        self.assertEqual((lines, kept), ([b"Content-Length: 0", b"Connection: close"], False))

    def test_switching(self) -> None:
        """RFC 9110 section 7.8: a 101 says which protocol follows."""
        fields = [(b"Connection", b"upgrade"), (b"Upgrade", b"x")]
        self.assertEqual(head(101, fields)[:2], ([b"Connection: upgrade", b"Upgrade: x"], NO_CONTENT))

    def test_upgrade_required(self) -> None:
        """RFC 9110 section 7.8: C{Upgrade} is named in C{Connection}, beside what becomes of the connection."""
        fields = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
        for keep_alive, more in ((True, b""), (False, b"Connection: close\r\n")):
            head, _, _ = response_head(426, b"", fields, 0, head_only=False, http11=True, keep_alive=keep_alive)
            expected = b"HTTP/1.1 426 \r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n"
            self.assertEqual(head, expected + more + b"\r\n", (keep_alive, more))

    def test_injection(self) -> None:
        """Whoever chooses a field's value does not write the rest of the response."""
        for field in ((b"A", b"b\r\nC: d"), (b"A", b"b\nc"), (b"A", b"b\rc"), (b"A\r\n", b"b"), (b"A", b"b\0")):
            self.assertRaises(ValueError, head, fields=[field], length=0)
        self.assertRaises(
            ValueError, response_head, 200, b"a\r\nB: c", [], 0, head_only=False, http11=True, keep_alive=True
        )


class TrailerSectionTests(SynchronousTestCase):
    def test_none(self) -> None:
        """The last chunk, and an empty section."""
        self.assertEqual(trailer_section([]), b"0\r\n\r\n")

    def test_fields(self) -> None:
        """RFC 9112 section 7.1.2: after the last chunk, order and case kept."""
        self.assertEqual(trailer_section([(b"b", b"1"), (b"A", b"2")]), b"0\r\nb: 1\r\nA: 2\r\n\r\n")

    def test_injection(self) -> None:
        """A trailer cannot begin another response."""
        self.assertRaises(ValueError, trailer_section, [(b"A", b"b\r\n\r\nHTTP/1.1 200 OK")])
