"""The form in which attribution is kept: shortened, and hashed where an API wants it so."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping

from attrs import evolve

from ...record import Attribution
from .said import Said, shortened

HASHABLE = ("user", "session", "tags", "metadata")
"""What can be kept as hashes; the names of tags and metadata stay."""

_DIGITS = 32


class Hashing:
    """
    Hashes of what users are called: the same for the same, and of no use to those who do not have the key.

    @param key: without one, who knows a name can find out which hash is its.
    """

    def __init__(self, key: bytes | None) -> None:
        self._key = hmac.digest(key or b"llmproxy", b"llmproxy attribution", "sha256")

    def text(self, text: str) -> str:
        if not text:
            return ""
        digest = hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hex()
        return f"hmac:{digest[:_DIGITS]}"


def kept(said: Attribution, hashed: frozenset[str], hashing: Hashing) -> Attribution:
    """
    What is written down of C{said}.

    @param hashed: of L{HASHABLE}.
    """

    def way(name: str) -> Callable[[str], str]:
        return hashing.text if name in hashed else shortened

    metadata = _each(said.metadata, way("metadata"))
    if "user" in hashed and "user_id" in metadata:
        metadata["user_id"] = hashing.text(said.metadata["user_id"])
    user, session = way("user")(said.user), way("session")(said.session)
    return Attribution(user, session, said.program, _each(said.tags, way("tags")), metadata)


def with_said(known: Attribution, said: Said) -> Attribution:
    """What the fields of a request say, with what its body says beside it."""
    return evolve(known, user=known.user or said.user, session=known.session or said.session, metadata=said.metadata)


def _each(values: Mapping[str, str], way: Callable[[str], str]) -> dict[str, str]:
    return {name: way(value) for name, value in values.items()}
