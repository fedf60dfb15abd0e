"""Tests for L{llmproxy.core.inspection.multipart}."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.disposition import LONGEST_HEAD, PartHead
from llmproxy.core.inspection.multipart import MOST_PARTS, Content, Event, MultipartReader, PartEnd, inspection
from llmproxy.core.inspection.steps import finish
from llmproxy.core.inspection.whitelist import Whitelist
from llmproxy.errors import BadRequest, ParamNotAllowed

from ...properties import examples
from ...tables import row

END = b"--b--\r\n"


def part(name: bytes, value: bytes, rest: bytes = b"") -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (name, rest, value)


def read(*pieces: bytes) -> list[tuple[str, str | None, bytes]]:
    """The parts of a body that comes in pieces."""
    reader = MultipartReader(b"b")
    events: list[Event] = [event for piece in pieces for event in reader.feed(piece)]
    reader.end()
    parts: list[tuple[str, str | None, bytes]] = []
    for event in events:
        if isinstance(event, PartHead):
            parts.append((event.name, event.filename, b""))
        elif isinstance(event, Content):
            name, filename, data = parts[-1]
            parts[-1] = (name, filename, data + event.data)
    assert sum(isinstance(event, PartEnd) for event in events) == len(parts)
    return parts


class ReaderTests(SynchronousTestCase):
    def test_parts(self) -> None:
        """Content is everything between the head and the next delimiter."""
        body = part(b"a", b"") + part(b"f", b"\r\n--\r\n-- b\r\n", b'; filename="x"') + part(b"c", b"1")
        expected = [("a", None, b""), ("f", "x", b"\r\n--\r\n-- b\r\n"), ("c", None, b"1")]
        self.assertEqual(read(body + END), expected)
        self.assertEqual(read(body + b"--b--"), expected)
        self.assertEqual(read(b"--b--"), [])

    @given(st.lists(st.binary(max_size=30).filter(lambda data: b"--b" not in data), max_size=3), st.data())
    @settings(max_examples=examples(150), deadline=None)
    def test_pieces(self, values: list[bytes], data: st.DataObject) -> None:
        """It makes no difference how the bytes come."""
        body = b"".join(part(b"x", value) for value in values) + END
        at = data.draw(st.lists(st.integers(0, len(body)), max_size=6).map(sorted))
        pieces = [body[begin:end] for begin, end in zip([0, *at], [*at, len(body)], strict=True)]
        self.assertEqual(read(*pieces), [("x", None, value) for value in values])
        self.assertEqual(read(*(body[each : each + 1] for each in range(len(body)))), read(body))

    def test_malformed(self) -> None:
        """Another reader could see other parts in it, wherever the bytes are parted."""
        good = part(b"a", b"1")
        for body in (
            b"",
            good,
            good + b"--b",
            good + b"--b-",
            good + b"--b-x",
            b"\r\n" + good + END,
            b"preamble\r\n" + good + END,
            good + END + b"\r\n",
            good + END + good + END,
            good + b"--b-- \r\n",
            good.replace(b"--b\r\n", b"--b \r\n") + END,
            good.replace(b"--b\r\n", b"--b\n") + END,
            good.replace(b"--b\r\n", b"--bb\r\n") + END,
            good.replace(b"\r\n", b"\n") + END,
            part(b"a", b"x\n--b\nContent-Disposition: form-data; name=model\n\nevil") + END,
            part(b"a", b"x\r--b\r\nContent-Disposition: form-data; name=model\r\n\r\nevil") + END,
            part(b"a", b"x--b") + END,
            part(b"a", b"x", b"\r\nX: --b") + END,
            part(b"a", b"\r\n--bb") + END,
            b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n" + END,
            b"--b\r\n\r\nx\r\n" + END,
            b"--b\r\nContent-Disposition: form-data; name=a\r\n" + END,
            b"--b\r\nX: %b\r\n" % (b"x" * LONGEST_HEAD) + good,
            good * (MOST_PARTS + 1) + END,
            part(b"a", b"12345", b"\r\nContent-Length: 4") + END,
            part(b"a", b"123", b"\r\nContent-Length: 4") + END,
        ):
            with row(body):
                self.assertRaises(BadRequest, read, body)
            with row(body):
                self.assertRaises(BadRequest, read, *(body[at : at + 1] for at in range(len(body))))
        read(part(b"a", b"1234", b"\r\nContent-Length: 4") + END)

    def test_holds_little(self) -> None:
        """What is not yet known to be content is a bounded number of bytes."""
        reader = MultipartReader(b"-" * 60)
        list(reader.feed(b"--" + b"-" * 60 + b"\r\nContent-Disposition: form-data; name=a\r\n\r\n"))
        for _ in range(50):
            content = sum(len(event.data) for event in reader.feed(b"\r\n-" * 1000) if isinstance(event, Content))
            self.assertGreater(content, 2900)


class InspectionTests(SynchronousTestCase):
    whitelist = Whitelist.compile({"model": ["ok"], "file": ["*"]})

    def check(self, *parts: bytes) -> None:
        finish(inspection(b"".join(parts) + END, b"b", self.whitelist))

    def test_values(self) -> None:
        """Fields are judged as those of other forms; a file is no value, but where anything is."""
        self.check(part(b"model", b"ok"), part(b"x", b"\xff"), part(b"file", b"\0", b"; filename=x"))
        for bad in (
            part(b"model", b"evil"),
            part(b"model", b"ok\r\n"),
            part(b"model", b""),
            part(b"Model", b"evil"),
            part(b"%6dodel", b"evil"),
            part(b"model[]", b"evil"),
            part(b"model", b"ok", b"; filename=x"),
            part(b"model", b"ok", b'; filename=""'),
            part(b"model", b"x" * 4000),
        ):
            with row(bad):
                self.assertRaises(ParamNotAllowed, self.check, part(b"x", b""), bad)

    def test_model(self) -> None:
        """The model is known, whether a rule names it or not."""
        body = part(b"a", b"1") + part(b"model", b"ok") + END
        for whitelist in (self.whitelist, Whitelist.compile({"n": ["1"]})):
            self.assertEqual(finish(inspection(body, b"b", whitelist)), "ok", whitelist)
        self.assertEqual(finish(inspection(END, b"b", self.whitelist)), "")

    def test_ambiguous(self) -> None:
        """What servers read in two ways is refused for what a rule names."""
        for bad in (
            part(b"model", b"ok") + part(b"model", b"ok"),
            part(b"model", b"ok") + part(b"%6dodel", b"ok"),
            part(b"model", b"ok", b"\r\nContent-Type: text/plain; charset=utf-16"),
            part(b"model", b"ok", b"\r\nContent-Type: application/octet-stream"),
            part(b"model", b"\xff"),
            part(b"model", b"x" * 1_000_000 + b"\xff"),
            part(b"_charset_", b"utf-7"),
        ):
            with row(bad):
                self.assertRaises((BadRequest, ParamNotAllowed), self.check, bad)
