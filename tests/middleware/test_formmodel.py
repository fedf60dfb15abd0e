"""Tests for L{llmproxy.middleware.formmodel}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.middleware.formmodel import FormModel

from ..harness import Exchange
from ..harness import a_request as on_the_wire
from ..providers.answers import GOLDEN

BOUNDARY = b"----x1"
TYPE = b"Content-Type: multipart/form-data; boundary=" + BOUNDARY
PATH = b"/v1/audio/transcriptions"


def form(*parts: tuple[bytes, bytes]) -> bytes:
    """Of what stands behind C{form-data;}, and contents."""
    head = b"--" + BOUNDARY + b"\r\nContent-Disposition: form-data; "
    return b"".join(head + name + b"\r\n\r\n" + value + b"\r\n" for name, value in parts) + b"--" + BOUNDARY + b"--\r\n"


SOUND = b'RIFF\x00name="model"\r\n\r\nfree\r\n' * 50
FILE = (b'name="file"; filename="a.wav"', SOUND)
MODEL = (b'name="model"', b"gpt-transcribe")


class FormModelTests(SynchronousTestCase):
    def test_found(self) -> None:
        """The field, wherever it stands, cut anywhere; nothing in a file, and no file of that name, is one."""
        for parts, expected in (
            ((MODEL, FILE), "gpt-transcribe"),
            ((FILE, MODEL), "gpt-transcribe"),
            ((FILE,), ""),
            (((b'name="model"; filename="m"', b"evil"), FILE), ""),
            (((b'name="model"', b"x" * 5000), MODEL), "gpt-transcribe"),
            (((b'name="model"', b"\x00"), FILE), ""),
        ):
            body = form(*parts)
            for size in (1, 7, 100, len(body)):
                found = FormModel(BOUNDARY)
                for at in range(0, len(body), size):
                    found.feed(body[at : at + size])
                self.assertEqual(found.model, expected, (parts, size))

    def test_no_form(self) -> None:
        """What is malformed names none, and is read no further."""
        found = FormModel(BOUNDARY)
        found.feed(b"no form at all")
        found.feed(form(MODEL))
        self.assertEqual(found.model, "")


class WatchTests(SynchronousTestCase):
    def test_noted(self) -> None:
        """The model of an upload stands in the record, and the bytes of the upload are the same."""
        for at_once in (True, False):
            proxy = Exchange(base_url="http://openai.com")
            client, body = proxy.client(), form(FILE, MODEL)
            request = on_the_wire(PATH, TYPE, body=body)
            for piece in (request,) if at_once else (request[:400], request[400:900], request[900:]):
                client.receive(piece)
                proxy.turn()
            [upstream] = proxy.upstream
            self.assertEqual(bytes(upstream.sent).partition(b"\r\n\r\n")[2], body, at_once)
            answer = GOLDEN["transcription"].body
            head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
            upstream.receive(head + answer)
            [record] = proxy.records
            self.assertEqual((record.model, record.usage and record.usage.seconds), ("gpt-transcribe", 3.5), at_once)
            self.assertTrue(proxy.idle(), at_once)

    def test_malformed_type(self) -> None:
        """A type that cannot be read hurts no upload."""
        for kind in (b"multipart/form-data; boundary=a; boundary=b", b"form", b"multipart/form-data"):
            proxy = Exchange(base_url="http://openai.com")
            proxy.client().receive(on_the_wire(PATH, b"Content-Type: " + kind, body=form(MODEL)))
            proxy.upstream[0].receive(b"HTTP/1.1 204 No Content\r\n\r\n")
            self.assertEqual((proxy.records[0].status, proxy.records[0].model), (204, ""), kind)
