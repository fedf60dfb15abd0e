"""The likelihood that an answer can be shared, from what the last ones were like."""

from __future__ import annotations

import re
from collections import OrderedDict

from .key import Key

UNSHARED_FOR = 60.0
"""Seconds for which nobody waits for an answer that turned out not to be shareable the last time."""

MOST_UNSHARED = 10_000
"""Keys and paths together."""

_VERSION = re.compile(rb"v\d+[a-z0-9]*")
_LONGEST_WORD = 24


class Likelihood:
    """
    What was not shareable the last time: keys, and paths that differ in identifiers only.

    A key is like others of its path until it has been asked for: who looks at a thousand files learns from the first.

    @param most: above it, what was noted longest ago is forgotten.
    """

    def __init__(self, most: int = MOST_UNSHARED) -> None:
        self._most = most
        # Until when; in seconds since the epoch.
        self._unshared: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._unshared)

    def is_shared(self, key: Key, now: float) -> bool:
        """Whether it is worth while to wait for the answer to somebody else's request."""
        if not self._unshared:
            return True
        return not (self._holds(key.digest, now) or self._holds(kind_of(key), now))

    def note(self, key: Key, now: float, *, shared: bool, kind: bool = False) -> None:
        """
        @param shared: whether the last answer could be shared.
        @param kind: an answer that could not says the same of others of its path.
        """
        if shared:
            for name in (key.digest, kind_of(key)) if self._unshared else ():
                self._unshared.pop(name, None)
            return
        for name in (key.digest, kind_of(key)) if kind else (key.digest,):
            self._unshared[name] = now + UNSHARED_FOR
            self._unshared.move_to_end(name)
        while len(self._unshared) > self._most:
            self._unshared.popitem(last=False)

    def _holds(self, name: bytes, now: float) -> bool:
        until = self._unshared.get(name)
        return until is not None and until > now


def kind_of(key: Key) -> bytes:
    """The path with a C{*} for each segment that looks like an identifier, of an API and method; no query."""
    path = key.target.partition(b"?")[0]
    segments = [b"*" if _is_identifier(segment) else segment for segment in path.split(b"/")]
    return b"%s\0%s\0%s" % (key.api.encode(), key.method, b"/".join(segments))


def _is_identifier(segment: bytes) -> bool:
    if len(segment) > _LONGEST_WORD:
        return True
    return any(byte in b"0123456789" for byte in segment) and _VERSION.fullmatch(segment) is None
