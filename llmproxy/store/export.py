"""
A database in a file that any of the three kinds can be made from: lines of JSON, compressed by gzip.

The first line tells the revision of the schema, the tables, their columns and how many rows each has;
then, for some rows at a time, the name of the table and the rows; the last line is the SHA-256 of all
before it, so that neither a cut nor a changed file is taken for a whole one.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import msgspec

from ..errors import ConfigError
from .migration import Row, Source

FORMAT = 1
_LONGEST_LINE = 256 * 1024 * 1024
"""Bytes; what is longer is not ours."""


def write_dump(source: Source, file: IO[bytes], made_at: str, advance: Callable[[int], object]) -> None:
    """
    @param file: left open.
    @param advance: called with how many rows were written.
    """
    digest = hashlib.sha256()
    with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:

        def put(value: Any) -> None:
            line = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            digest.update(line)
            packed.write(line)

        put(
            {
                "llmproxy_dump": FORMAT,
                "made_at": made_at,
                "revision": source.revision,
                "tables": dict(source.tables),
                "counts": dict(source.counts),
            }
        )
        for name, rows in source.rows():
            put([name, [list(row) for row in rows]])
            advance(len(rows))
        packed.write(json.dumps({"sha256": digest.hexdigest()}).encode() + b"\n")


class DumpSource:
    """
    What L{write_dump} wrote.

    @param name: what messages call the file.
    @raise ConfigError: it is something else, or was made by a later release.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._name = name
        self._packed = gzip.GzipFile(fileobj=file, mode="rb")
        self._digest = hashlib.sha256()
        head = self._line()
        if not isinstance(head, dict) or "llmproxy_dump" not in head:
            raise self._damage("is no backup that llmproxy made")
        if head["llmproxy_dump"] != FORMAT:
            raise self._damage(f"was made by a later release (format {head['llmproxy_dump']})")
        try:
            found = msgspec.convert(head, _Head)
        except msgspec.ValidationError:
            raise self._damage("is damaged: its first line is not understood") from None
        self.made_at, self.revision, self.tables, self.counts = (
            found.made_at,
            found.revision,
            found.tables,
            found.counts,
        )

    def rows(self) -> Iterator[tuple[str, list[Row]]]:
        """
        @raise ConfigError: it is damaged. What was given until then is not to be kept.
        """
        while True:
            digest = self._digest.hexdigest()
            line = self._line()
            if isinstance(line, dict):
                if line.get("sha256") != digest or not self._is_over():
                    raise self._damage("is damaged: its checksum is another")
                return
            try:
                name, rows = msgspec.convert(line, tuple[str, list[list[Any]]])
                sizes = {len(row) for row in rows} - {len(self.tables[name])}
            except (msgspec.ValidationError, KeyError):
                sizes = {-1}
            if sizes:
                raise self._damage("is damaged: its rows are not understood")
            yield name, list(rows)

    def _is_over(self) -> bool:
        try:
            return not self._packed.read(1)
        except (EOFError, OSError, zlib.error):
            return False

    def _line(self) -> Any:
        try:
            line = self._packed.readline(_LONGEST_LINE)
            value = json.loads(line)
        except (EOFError, OSError, ValueError, RecursionError, zlib.error):
            raise self._damage("is damaged, or no backup that llmproxy made") from None
        self._digest.update(line)
        return value

    def _damage(self, words: str) -> ConfigError:
        return ConfigError(f"{self._name} {words}")


class _Head(msgspec.Struct):
    made_at: str
    revision: str
    tables: dict[str, list[str]]
    counts: dict[str, int]
