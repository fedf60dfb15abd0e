"""Static files of the pages: named after what is in them, so that browsers keep them for good."""

from __future__ import annotations

import gzip
from hashlib import sha256
from importlib.resources import files

from attrs import frozen

KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
IMMUTABLE = "public, max-age=31536000, immutable"


@frozen
class StaticFile:
    """@ivar packed: the same in gzip."""

    kind: str
    content: bytes
    packed: bytes


class StaticFiles:
    """
    The files in C{static}, read once.

    @ivar names: how each is asked for, by how it is named in templates: C{admin.css}.
    """

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self._files: dict[str, StaticFile] = {}
        for entry in sorted(files(__package__).joinpath("static").iterdir(), key=lambda each: each.name):
            stem, dot, ending = entry.name.rpartition(".")
            if dot + ending not in KINDS:
                continue
            content = entry.read_bytes()
            name = f"{stem}.{sha256(content).hexdigest()[:16]}.{ending}"
            self.names[entry.name] = name
            self._files[name] = StaticFile(KINDS[dot + ending], content, gzip.compress(content, 9, mtime=0))

    def get(self, name: str) -> StaticFile | None:
        """The file of this name, of those in L{names}."""
        return self._files.get(name)
