"""A database in a file."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ConfigError
from llmproxy.store.export import DumpSource, write_dump

HEAD = {"llmproxy_dump": 1, "made_at": "2026-01-01T00:00:00+00:00", "revision": "0001", "tables": {}, "counts": {}}


class Source:
    """Two tables."""

    revision = "0001"
    tables = {"projects": ["id", "name"], "tokens": ["id"]}
    counts = {"projects": 3, "tokens": 1}

    def rows(self) -> Iterator[tuple[str, list[Any]]]:
        yield "projects", [("a", None), ("b", "é\n\0")]
        yield "projects", [("c", True)]
        yield "tokens", [(2**62,)]


def packed(*lines: Any) -> BytesIO:
    return BytesIO(gzip.compress(b"".join(json.dumps(line).encode() + b"\n" for line in lines)))


class DumpTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.file = BytesIO()
        self.steps: list[int] = []
        write_dump(Source(), self.file, "2026-01-01T00:00:00+00:00", self.steps.append)
        self.file.seek(0)

    def damaged(self, file: BytesIO) -> str:
        def read() -> None:
            for _ in DumpSource(file, "backup").rows():
                pass

        return str(self.assertRaises(ConfigError, read))

    def test_round_trip(self) -> None:
        """What was written is what is read: every value, and how many there are."""
        source = DumpSource(self.file, "backup")
        self.assertEqual((source.revision, source.tables, source.counts), ("0001", Source.tables, Source.counts))
        self.assertEqual(source.made_at, "2026-01-01T00:00:00+00:00")
        expected = [(name, [list(row) for row in rows]) for name, rows in Source().rows()]
        self.assertEqual(list(source.rows()), expected)
        self.assertEqual(self.steps, [2, 1, 1])

    def test_every_cut(self) -> None:
        """A file that was cut anywhere is not taken for a whole one."""
        whole = self.file.getvalue()
        for size in range(len(whole)):
            self.assertTrue(self.damaged(BytesIO(whole[:size])).startswith("backup is damaged"), size)

    def test_changed(self) -> None:
        """Nor is one that was changed."""
        text = gzip.decompress(self.file.getvalue()).replace(b'"a"', b'"x"')
        self.assertEqual(self.damaged(BytesIO(gzip.compress(text))), "backup is damaged: its checksum is another")

    def test_something_else(self) -> None:
        """What somebody else made is called that."""
        for file in (BytesIO(b"dear diary"), packed({"id": 1}), packed([1]), packed("x")):
            self.assertIn("no backup that llmproxy made", self.damaged(file))
        self.assertIn("later release (format 2)", self.damaged(packed({**HEAD, "llmproxy_dump": 2})))

    def test_nonsense(self) -> None:
        """Lines that make no sense are damage, not a traceback."""
        head = {**HEAD, "tables": {"t": ["id"]}, "counts": {"t": 1}}
        for lines in (
            [{"llmproxy_dump": 1}],
            [{**HEAD, "tables": [1]}],
            [head, ["t", [[1, 2]]]],
            [head, ["other", [[1]]]],
            [head, ["t", 5]],
            [head, 5],
            [head, {}],
        ):
            self.assertTrue(self.damaged(packed(*lines)).startswith("backup is damaged"), lines)
