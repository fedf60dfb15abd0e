"""Tests for L{llmproxy.core.inspection.disposition}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.disposition import LONGEST_NAME, part_head
from llmproxy.errors import BadRequest

from ...tables import row


class PartHeadTests(SynchronousTestCase):
    def test_read(self) -> None:
        """What browsers and SDKs send is read."""
        for rest, name, filename in (
            (b'; name="model"', "model", None),
            (b";name=model", "model", None),
            (b'; name="a b"; filename="x.mp3"', "a b", "x.mp3"),
            (b'; filename="C:\\dir\\x.mp3"; name="file"', "file", "C:\\dir\\x.mp3"),
            (b'; name="file"; filename=""', "file", ""),
            (b'; name="file"; filename="a;b.txt"', "file", "a;b.txt"),
            (b'; name="file"; filename="e.txt"; filename*=utf-8\'\'%C3%A9.txt', "file", "e.txt"),
            (b'; name="timestamp_granularities[]"', "timestamp_granularities[]", None),
            (b'; name="\xc3\xa9"', "é", None),
        ):
            read = part_head(b"Content-Disposition: form-data" + rest)
            self.assertEqual((read.name, read.filename), (name, filename), rest)

    def test_nothing_left_over(self) -> None:
        """What is not by the grammar could be another field to another reader."""
        for value in (
            b'form-data; name; name="model"',
            b'form-data; name="model", x',
            b'form-data; name="a"; name="model"',
            b'form-data; name="a"; NAME="model"',
            b'form-data; Name="model"',
            b'Form-Data; name="model"',
            b'attachment; name="model"',
            b'form-data name="model"',
            b'form-data; x="y"; name="model"',
            b'form-data; name="model";',
            b'form-data;; name="model"',
            b'form-data; name = "model"',
            b'form-data; name="model" x',
            b'form-data; name="model""x"',
            b'form-data; name="mo\\del"',
            b'form-data; name="model',
            b"form-data; name='model'x\"",
            b'form-data; name=""',
            b"form-data; name=",
            b"form-data",
            b"form-data;",
            b"form-data; name*=utf-8''model",
            b"form-data; name=\"a\"; name*=utf-8''model",
            b'form-data; name*0="mo"; name*1="del"',
            b"form-data; name=\"a\"; filename*=utf-8''x",
            b"form-data; name=\"a\"; filename=x; filename*=utf-8''x; filename*=utf-8''y",
            b"form-data; name=\"a\"; filename=x; filename*=utf-16''x",
            b"form-data; name=\"a\"; filename=x; filename*=utf-8''%zz",
            b'form-data; name="a"; filename="x\\"; name=\\"model"',
            b'form-data; name="a"; filename="x\\\\"; name="model"',
            b'form-data; name="a"; filename="; name=model"',
            b'form-data; filename="a"; filename="b"; name=c',
            b'form-data; name="=?utf-8?q?model?="',
            b'form-data; name="a;b"',
            b'form-data; name=" model"',
            b'form-data; name="model\xc2\xa0"',
            b'form-data; name="\xff"',
            b'form-data; name="a\tb"',
            b'form-data;\x0bname="model"',
            b'form-data; name="%b"' % (b"x" * (LONGEST_NAME + 1)),
        ):
            with row(value):
                self.assertRaises(BadRequest, part_head, b"Content-Disposition: " + value)

    def test_other_lines(self) -> None:
        """A field of the head stands once, and none changes how the content is read."""
        good = b'Content-Disposition: form-data; name="a"'
        for line in (
            b"Content-Type: text/csv; header=present",
            b"Content-Transfer-Encoding: binary",
            b"CONTENT-TRANSFER-ENCODING: 8BIT ",
            b"X-Anything: at all",
            b"Content-Length: 5",
        ):
            part_head(good + b"\r\n" + line)
            part_head(line + b"\r\n" + good)
        for line in (
            good,
            b'content-disposition: form-data; name="model"',
            b"Content-Type: multipart/mixed; boundary=x",
            b"Content-Type: text/plain\r\nContent-Type: text/plain",
            b"Content-Transfer-Encoding: base64",
            b"Content-Transfer-Encoding: quoted-printable",
            b"Content-Transfer-Encoding: 8bit, base64",
            b"Content-Encoding: gzip",
            b"Content-Length: -1",
            b"Content-Length: 5, 5",
            b"Content-Disposition : x",
            b" folded",
            b"no colon",
            b": nothing",
            b"X: a\rb",
            b"X: a\nContent-Disposition: form-data; name=model",
            b"X: a\0b",
            b"",
        ):
            with row(line):
                self.assertRaises(BadRequest, part_head, good + b"\r\n" + line)
            with row(line):
                self.assertRaises(BadRequest, part_head, line + b"\r\n" + good)

    def test_plain(self) -> None:
        """Only what no server takes for a file, or reads in another charset, is a plain field."""
        good = b"Content-Disposition: form-data; name=a"
        for rest, plain in (
            (b"", True),
            (b"\r\nContent-Type: text/plain", True),
            (b"\r\nContent-Type: text/plain; charset=UTF-8", True),
            (b"\r\nContent-Type: text/plain; charset=utf-16", False),
            (b"\r\nContent-Type: application/octet-stream", False),
            (b"\r\nContent-Type: application/json", False),
            (b"; filename=x", False),
        ):
            self.assertEqual(part_head(good + rest).plain, plain, rest)
