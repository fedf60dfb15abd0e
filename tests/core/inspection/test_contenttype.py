"""Tests for L{llmproxy.core.inspection.contenttype}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.contenttype import LONGEST, content_codings, media_type
from llmproxy.errors import BadRequest, ProxyError, UnsupportedMediaType

from ...tables import row


class MediaTypeTests(SynchronousTestCase):
    def test_read(self) -> None:
        """Types and parameters are read in any case, quoted or not."""
        for line, essence, charset in (
            (b"application/json", "application/json", ""),
            (b"Application/JSON;Charset=UTF-8", "application/json", "utf-8"),
            (b'text/json ; charset="utf-8" ;', "text/json", "utf-8"),
            (b"text/json\t;\todata=x;;charset=us-ascii", "text/json", "us-ascii"),
            (b"", "", ""),
        ):
            read = media_type([line])
            self.assertEqual((read.essence, read.charset), (essence, charset), line)
        self.assertEqual(media_type([]).essence, "")

    def test_boundary(self) -> None:
        """What RFC 2046 allows."""
        for line, boundary in (
            (b"multipart/form-data; boundary=x", b"x"),
            (b"multipart/form-data;boundary=----WebKitFormBoundaryAbc", b"----WebKitFormBoundaryAbc"),
            (b'multipart/form-data; charset=utf-8; boundary="a b:=?"', b"a b:=?"),
            (b"multipart/form-data; boundary=" + b"x" * 70, b"x" * 70),
        ):
            self.assertEqual(media_type([line]).boundary, boundary, (line, boundary))
        for rest in (
            b"",
            b'; boundary=""',
            b"; boundary=" + b"x" * 71,
            b'; boundary="x "',
            b'; boundary="\xe9"',
            b"; boundary=x; type=y",
            b"; boundary=x; boundary1=y",
            b'; boundary="x;y"',
            b"; boundary=x^",
        ):
            with row(rest):
                self.assertRaises(BadRequest, getattr, media_type([b"multipart/form-data" + rest]), "boundary")

    def test_refused(self) -> None:
        """What is not by the grammar is not guessed at."""
        for line in (
            b"application/json, text/plain",
            b"application/json; charset",
            b"application/json; charset=",
            b"application/json; charset =utf-8",
            b"application/json; charset= utf-8",
            b"application/json; charset=utf-8 x",
            b'application/json; charset="utf-8',
            b'application/json; charset="ut\\f-8"',
            b"application/json; charset=utf-8; CHARSET=utf-8",
            b"multipart/form-data; boundary*=utf-8''x",
            b"multipart/form-data; boundary*0=x",
            b"multipart/form-data; boundary=x=y",
            b"application/json\x0b",
            b"application/json; a=" + b"x" * LONGEST,
        ):
            with row(line):
                self.assertRaises(BadRequest, media_type, [line])
        for line in (b"nonsense", b"/json", b"application/", b" application/json", b";charset=utf-8"):
            with row(line):
                self.assertRaises(UnsupportedMediaType, media_type, [line])

    def test_two_lines(self) -> None:
        """Two types are none, also if they are the same."""
        self.assertRaises(ProxyError, media_type, [b"application/json", b"application/json"])


class ContentCodingsTests(SynchronousTestCase):
    def test_lines(self) -> None:
        """All lines are one list, in the order in which the codings were applied."""
        for lines, codings in (
            ([], ()),
            ([b""], ()),
            ([b"identity"], ()),
            ([b"gzip"], (b"gzip",)),
            ([b"identity", b"GZip"], (b"gzip",)),
            ([b"gzip, br", b"identity , zstd"], (b"gzip", b"br", b"zstd")),
        ):
            fields = [(b"Content-Encoding", line) for line in lines]
            self.assertEqual(content_codings([(b"content-type", b"x"), *fields]), codings, (lines, codings))
