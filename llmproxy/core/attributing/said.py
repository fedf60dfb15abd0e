"""
The members of a request's body that say for whom it is asked, and the model that it names.

OpenAI: C{user}, C{safety_identifier} in its place, C{metadata}, C{conversation}. Anthropic: C{metadata.user_id}. Vertex
AI: C{labels}. Claude Code puts its session into C{metadata.user_id} (seen: 2.1, and versions of 2025).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from attrs import frozen

from ..codings import Decoder
from ..jsonmembers import JsonMembers, tree_of
from ..models import named

MEMBERS = ("model", "user", "safety_identifier", "metadata", "labels", "conversation")
_TREE = tree_of(MEMBERS)

LONGEST = 200
"""Characters of a user, a session or a value; of a longer one the hash is kept: none is taken for another."""

MOST_PAIRS = 16
LONGEST_NAME = 64
"""Of metadata, as OpenAI allows them; what is beyond is not kept."""

_CLAUDE = re.compile(r"(user_[0-9a-f]{16,64}(?:_account_[0-9a-f-]{0,36})?)_session_([0-9a-f-]{36})")


class Members(msgspec.Struct):
    """See L{MEMBERS}; of any type, since nobody has looked at them."""

    model: Any = None
    user: Any = None
    safety_identifier: Any = None
    metadata: Any = None
    labels: Any = None
    conversation: Any = None


_decode = msgspec.json.Decoder(Members).decode


@frozen
class Said:
    """
    What a body says; empty where it says nothing.

    @ivar metadata: as texts.
    """

    model: str = ""
    user: str = ""
    session: str = ""
    metadata: Mapping[str, str] = {}


NOTHING = Said()


LONGEST_PARSED = 64 * 1024
"""Bytes of a body that is parsed; a longer one is scanned in pieces of as many."""


def members_in(content: bytes) -> Members | None:
    """The members of a short body that is at hand; C{None} if it is no JSON object."""
    try:
        return _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def note(members: Members, name: str, written: bytes) -> None:
    """What a scan has found."""
    try:
        setattr(members, name, msgspec.json.decode(written))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return


class MembersReader:
    """
    Reads the members of a body as it passes, cut anywhere and in any coding.

    @param found: called whenever more of them is known.
    """

    __slots__ = ("_decoder", "_scan")

    def __init__(self, found: Callable[[Members], object], codings: Sequence[bytes] = ()) -> None:
        members = Members()

        # Not a method: the scan would hold what holds it.
        def noted(name: str, written: bytes) -> None:
            note(members, name, written)
            found(members)

        self._scan = JsonMembers(_TREE, noted)
        self._decoder = Decoder(codings) if codings else None

    def feed(self, data: bytes) -> None:
        """
        @raise ProxyError: what is in a coding cannot be read.
        """
        if self._decoder is None:
            self._scan.feed(data)
            return
        for piece in self._decoder.feed(data):
            self._scan.feed(piece)


def said_in(members: Members) -> Said:
    """What they say, of whatever vendor; what is of another type than it should be says nothing."""
    metadata = _pairs(members.metadata)
    user, session = _text(members.safety_identifier) or _text(members.user), _conversation(members.conversation)
    written = metadata.get("user_id", "")
    theirs, in_it = of_user_id(written)
    if theirs != written:
        # It was more than a name, and is kept by its parts.
        del metadata["user_id"]
    user, session = user or theirs, session or in_it
    return Said(named(members.model), user, session, metadata | _pairs(members.labels))


def of_user_id(text: str) -> tuple[str, str]:
    """The user and the session in Anthropic's C{metadata.user_id}; as Claude Code writes it, or just a user."""
    former = _CLAUDE.fullmatch(text)
    if former is not None:
        return former[1], former[2]
    if text.startswith("{"):
        try:
            found = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return text, ""
        if isinstance(found, dict):
            user = next((each for name in ("account_uuid", "device_id") if (each := _text(found.get(name)))), "")
            return user, _text(found.get("session_id"))
    return text, ""


def shortened(text: str) -> str:
    """The same, or its hash where it is too long for a report, or does not print."""
    return text if len(text) <= LONGEST and text.isprintable() else hashed(text)


def hashed(text: str) -> str:
    return "sha256:" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _text(value: Any) -> str:
    """Numbers are names too."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def _conversation(value: Any) -> str:
    return _text(value.get("id") if isinstance(value, dict) else value)


def _pairs(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    pairs = ((name, _flat(each)) for name, each in value.items() if len(name) <= LONGEST_NAME and name.isprintable())
    return dict([(name, text) for name, text in pairs if text][:MOST_PAIRS])


def _flat(value: Any) -> str:
    if isinstance(value, (bool, float)):
        return msgspec.json.encode(value).decode()
    return _text(value)
