"""Readers of request bodies against those of servers: what ours accepts, all of them read as it does."""

from __future__ import annotations

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from ..differential.comparison import Comparison, accepted, compare
from ..differential.generator import Body
from ..differential.readers import others, python_readers

BODIES = 6_000
SEED = 1


def _part(disposition: bytes) -> bytes:
    return b"--b\r\nContent-Disposition: " + disposition + b"\r\n\r\nevil\r\n--b--\r\n"


MULTIPART = b"multipart/form-data; boundary=b"
BYPASSES = (
    ("starlette", Body("multipart", MULTIPART, _part(b'form-data; name; name="model"'))),
    ("werkzeug", Body("multipart", MULTIPART, _part(b'form-data; name="model", x'))),
    ("go", Body("json", b"application/json", b'{"model":"ok","MODEL":"evil"}')),
    ("go", Body("json", b"application/json", b'{"Model":"evil"}')),
    ("node", Body("json", b"application/json", b'{"model":"ok","model":"evil"}')),
)
"""Bodies in which a server reads what a whitelist forbids, though they do not look like it."""


class ReadersTests(SynchronousTestCase):
    compared: Comparison | None = None

    def compare(self) -> Comparison:
        if ReadersTests.compared is None:
            ReadersTests.compared = compare(SEED, BODIES)
        return ReadersTests.compared

    def agree(self, name: str) -> None:
        compared = self.compare()
        if name not in compared.read:
            raise SkipTest(f"the reader of {name} is not installed (extra test; Go; Node and busboy)")
        self.assertGreater(compared.read[name], 50)
        self.assertEqual([each for each in compared.differences if each.reader == name], [])

    def test_enough(self) -> None:
        """Of each kind many bodies are accepted, and many are not."""
        for kind in ("json", "form", "multipart"):
            self.assertGreater(self.compare().accepted[kind], 50, kind)
        self.assertLess(sum(self.compare().accepted.values()), BODIES / 2)

    def test_werkzeug(self) -> None:
        """Flask reads what we read."""
        self.agree("werkzeug")

    def test_python_multipart(self) -> None:
        """The parser of FastAPI reads what we read."""
        self.agree("python-multipart")

    def test_starlette(self) -> None:
        """FastAPI reads what we read."""
        self.agree("starlette")

    def test_django(self) -> None:
        """Django reads what we read."""
        self.agree("django")

    def test_json(self) -> None:
        """Python's own parser of JSON reads what we read."""
        self.agree("json")

    def test_go(self) -> None:
        """Go reads what we read, in JSON in whatever case."""
        self.agree("go")

    def test_node(self) -> None:
        """Express, with busboy, reads what we read."""
        self.agree("node")

    def test_bypasses(self) -> None:
        """What a server reads in another way is refused; each of these it does read so."""
        readers = python_readers()
        piped = others()
        for name, body in BYPASSES:
            self.assertIsNone(accepted(body), body)
            if name in readers:
                values = readers[name](body)
            elif name in piped:
                values = piped[name]([body])[0]
            else:
                continue
            self.assertIn("evil", str(values), (name, body))
