"""A script that Redis runs, and the name that it has there."""

from __future__ import annotations

from hashlib import sha1

from attrs import field, frozen


@frozen
class Script:
    """@ivar sha: what EVALSHA calls it."""

    source: bytes
    sha: bytes = field(init=False)

    def __attrs_post_init__(self) -> None:
        # The name that Redis gives it; nothing is kept safe by it.
        object.__setattr__(self, "sha", sha1(self.source, usedforsecurity=False).hexdigest().encode())
