"""
The memory of heads: a head that came before, all bytes but the digits of its C{Content-Length}, is not read again.

Programs send the same head with each request. What is understood never changes: only what L{read_head} has read is
remembered, it is found by all of its bytes, and the digits are taken out only where they can mean but one thing (one
C{Content-Length}, spelled and spaced as programs do, of few digits, the first no zero). All others are read each time.

What is known of a head holds the secrets of its client. So it is kept only once the client may ask for something
(L{Known.keeper}), in bounded memory, for no more than a minute without being used, and never beyond
L{HeadMemory.forget}.
"""

from __future__ import annotations

from collections.abc import Callable

from .http11 import Head, read_head
from .notable import Known, Section, measured_at, size_of

MOST = 4 * 1024 * 1024
"""Bytes of all that is kept."""

HALF_LIFE = 30.0
"""Seconds after which L{HeadMemory.age} is to be called: what was not used between two of its calls is dropped."""

_LONGEST = 8 * 1024
"""Bytes of a head; a longer one is read each time."""

_MOST_FACTS = 64 * 1024
"""Bytes of what is known of one head."""

_MOST_ONCE = 1024
"""Heads of which it is known that they came once: nothing else is done for those that never come again."""

_MOST_MISSES = 100
_LOOKS = 8
"""After so many heads in a row of which none came before, only one of so many is looked for: most are new each time."""

_Key = tuple[bytes, bytes, bytes]
"""A head without the digits of its length: what stands before the field, how that is written, and what follows."""

_CANONICAL, _LOWER = b"\r\nContent-Length: ", b"\r\ncontent-length: "
_ZERO = ord("0")
_MOST_DIGITS = 15


class SeenHead:
    """
    What is known of one head.

    @ivar key: its bytes, without the digits.
    @ivar weight: bytes of memory, roughly.
    """

    __slots__ = ("_epoch", "_head", "_kept", "_known", "_length", "_memory", "key", "weight")

    def __init__(self, memory: HeadMemory, key: _Key, head: Head, fields: Section, at: int) -> None:
        """@param at: where the C{Content-Length} stands whose digits are not in C{key}; below 0 if none does."""
        notable = fields.notable
        if notable is not None and at >= 0:
            # All that it says of framing has been heeded; the next one's length is another.
            notable.decisive = [pair for pair in notable.decisive if pair[0] != b"content-length"]
        self.key = key
        self.weight = sum(map(len, key)) + size_of(fields) + 1024
        self._memory = memory
        self._epoch = memory.epoch
        self._kept = False
        self._head = head
        self._length = head.length
        self._known = Known(fields, at, notable, self)
        head.fields = head.decisive = []

    def head(self, digits: bytes) -> Head:
        """The head with this length."""
        first = self._head
        head = Head()
        head.method, head.target, head.version = first.method, first.target, first.version
        head.keep_alive, head.expects, head.upgrade = first.keep_alive, first.expects, first.upgrade
        head.length = int(digits) if digits else self._length
        head.fields = self._known.section(digits)
        return head

    def keep(self) -> None:
        if not self._kept and self._epoch == self._memory.epoch:
            self._kept = self._memory.keep(self)

    def drop(self) -> None:
        self._epoch = -1
        self._kept = False
        self._memory.drop(self.key)

    def has_room(self, size: int) -> bool:
        weight = self.weight + size
        if weight > _MOST_FACTS or (self._kept and not self._memory.has_room(size)):
            return False
        self.weight = weight
        return True


class HeadMemory:
    """
    The heads are in two halves: L{age} drops the older one, and what is asked for there moves to the other. When a half
    is full nothing new is kept until then: what comes in turn, more than there is room for, does not drive each other
    out.

    @param stirred: called when there is something to be aged again.
    @param most: bytes of all that is kept.
    @ivar epoch: counts what has been forgotten: what was read before is not kept any more.
    """

    __slots__ = (
        "_earlier",
        "_fields_limit",
        "_half",
        "_misses",
        "_once",
        "_recent",
        "_stirred",
        "_target_limit",
        "_used",
        "epoch",
    )

    def __init__(self, target_limit: int, fields_limit: int, stirred: Callable[[], object], most: int = MOST) -> None:
        self._target_limit = target_limit
        self._fields_limit = fields_limit
        self._stirred = stirred
        self._half = most // 2
        self._recent: dict[_Key, SeenHead] = {}
        self._earlier: dict[_Key, SeenHead] = {}
        self._once: set[int] = set()
        self._misses = self._used = 0
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._recent) + len(self._earlier)

    def read(self, data: bytes) -> Head:
        """
        Read a head as L{read_head} does.

        @raise llmproxy.core.http11.Refusal: as that does.
        """
        misses = self._misses
        if misses > _MOST_MISSES and misses % _LOOKS:
            self._misses = misses + 1
            return read_head(data, self._target_limit, self._fields_limit)
        before, name, after = data.rpartition(_CANONICAL)
        if not name:
            before, name, after = data.rpartition(_LOWER)
        digits = b""
        if name:
            digits, _, after = after.partition(b"\r")
            if not digits.isdigit() or len(digits) > _MOST_DIGITS or (digits[0] == _ZERO and len(digits) > 1):
                return read_head(data, self._target_limit, self._fields_limit)
        key = (before, name, after)
        seen = self._recent.get(key)
        if seen is None and self._earlier:
            seen = self._earlier.get(key)
            if seen is not None:
                self._move(key, seen)
        if seen is not None:
            self._misses = 0
            return seen.head(digits)
        self._misses = misses + 1
        head = read_head(data, self._target_limit, self._fields_limit)
        once = self._once
        mark = hash(key)
        if mark in once:
            return self._again(head, data, key, digits)
        if len(once) >= _MOST_ONCE:
            once.clear()
        once.add(mark)
        return head

    def _again(self, head: Head, data: bytes, key: _Key, digits: bytes) -> Head:
        """What is to be known of a head from now on, that has come before."""
        fields = head.fields
        if type(fields) is not Section or len(data) > _LONGEST or self._used >= self._half:
            return head
        at = measured_at(fields) if digits else -1
        if digits and (at < 0 or fields[at][1] != digits or head.length != int(digits)):
            return head
        return SeenHead(self, key, head, fields, at).head(digits)

    def keep(self, seen: SeenHead) -> bool:
        """Keep what is known of a head, if there is room."""
        if self._used + seen.weight > self._half:
            return False
        if not self._recent and not self._earlier:
            self._stirred()
        self._used += seen.weight
        self._recent[seen.key] = seen
        return True

    def has_room(self, size: int) -> bool:
        """Whether so many bytes may be kept besides; they count from now on."""
        if self._used + size > self._half:
            return False
        self._used += size
        return True

    def drop(self, key: _Key) -> None:
        """Forget one head."""
        self._recent.pop(key, None)
        self._earlier.pop(key, None)

    def forget(self) -> None:
        """Forget all: something was revoked, or is configured otherwise."""
        self.epoch += 1
        self._recent, self._earlier = {}, {}
        self._used = 0

    def age(self) -> bool:
        """
        Drop what was not used since the last time but one.

        @return: whether there is anything left.
        """
        self._earlier, self._recent = self._recent, {}
        self._used = 0
        return bool(self._earlier)

    def _move(self, key: _Key, seen: SeenHead) -> None:
        if self._used + seen.weight <= self._half:
            self._used += seen.weight
            self._recent[key] = self._earlier.pop(key)
