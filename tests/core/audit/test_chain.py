"""Records in a chain."""

from __future__ import annotations

from hashlib import sha256

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.audit.chain import GENESIS, Anchor, Chain, linked_of_line

from ...tables import row
from .records import chained, record


class ChainTests(SynchronousTestCase):
    def test_links(self) -> None:
        """Each record carries the hash of the one before, the first one none."""
        links = chained(3)
        self.assertEqual([link.seq for link in links], [1, 2, 3])
        self.assertEqual([link.prev for link in links], [GENESIS, links[0].hash, links[1].hash])

    def test_hash(self) -> None:
        """Anybody can compute the hash from the line with a shell: SHA-256 of the line without it."""
        (link,) = chained(1)
        rest = link.line().replace(f'"hash":"{link.hash}",'.encode(), b"")
        self.assertEqual(sha256(rest).hexdigest(), link.hash)

    def test_moves_when_written(self) -> None:
        """What could not be written is linked again, to the same place."""
        chain = Chain("c")
        first = chain.linked([record(1), record(2)])
        self.assertEqual(chain.linked([record(1), record(2)]), first)
        chain.moved(first[-1])
        self.assertEqual(chain.anchor(), Anchor("c", 2, first[1].hash))
        self.assertEqual(chain.linked([record(3)])[0].prev, first[1].hash)

    def test_lines(self) -> None:
        """A line is read as it was written, and what was not written so is refused."""
        (link,) = chained(1)
        self.assertEqual(linked_of_line(link.line()), link)
        for data in (
            b"",
            link.line()[:-1],
            link.line() + b" ",
            link.line().replace(b'"seq":1', b'"seq":"1"'),
            link.line().replace(b'"seq":1,', b""),
            b'{"chain":"c","hash":"","prev":"","seq":1}',
        ):
            with row(data):
                self.assertRaises(ValueError, linked_of_line, data)
