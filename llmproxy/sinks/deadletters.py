"""The dead letters of a sink: what its receiver never takes, a line of JSON each, with the reason."""

from __future__ import annotations

import fcntl
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec

from ..core.events.letters import LettersKept

MOST_BYTES = 16 * 1024 * 1024
"""Of letters that are read at once; the first one is read whatever its size."""

MOST_REASONS = 10


class Letter(msgspec.Struct, frozen=True):
    """
    @ivar time: when it became one, as text: RFC 3339 in UTC, so that texts sort as their times.
    @ivar event: as it was encoded.
    """

    time: str
    reason: str
    event: msgspec.Raw


class _Named(msgspec.Struct):
    id: str = ""


class DeadLetters:
    """
    Several processes may write to one file; each takes a lock for one append. Everything blocks.

    @param path: of the file, 0600; its directory is made. When it is half as long as the bound it becomes C{path.1}, in
        the place of the one before.
    @param most: bytes of both together; a single letter may be longer.
    """

    def __init__(self, path: str, most: int) -> None:
        self._path = path
        self._most = most

    def append(self, events: Sequence[bytes], why: str, now: str) -> None:
        """
        Keep encoded events. Raises L{OSError}.

        @param why: a sentence, without a secret.
        @param now: the time, as text.
        """
        lines = [
            b'{"time":%b,"reason":%b,"event":%b}\n' % (msgspec.json.encode(now), msgspec.json.encode(why), event)
            for event in events
        ]
        os.makedirs(os.path.dirname(self._path) or ".", mode=0o700, exist_ok=True)
        with _locked(self._path + ".lock"):
            for line in lines:
                self._append(line)

    def _append(self, line: bytes) -> None:
        fd = os.open(self._path, _APPENDED, 0o600)
        try:
            size = os.fstat(fd).st_size
            if size and size + len(line) > self._most // 2:
                os.replace(self._path, self._path + ".1")
                os.close(fd)
                fd = -1
                fd = os.open(self._path, _APPENDED, 0o600)
            while line:
                line = line[os.write(fd, line) :]
        finally:
            if fd >= 0:
                os.close(fd)

    # -- what is there

    def kept(self) -> LettersKept:
        """What is on disk now. Raises L{OSError}."""
        count = size = unreadable = 0
        oldest = latest = ""
        reasons: Counter[str] = Counter()
        for line in self._lines():
            size += len(line)
            letter = letter_of(line)
            if letter is None:
                unreadable += 1
                continue
            count += 1
            oldest, latest = min(oldest or letter.time, letter.time), max(latest, letter.time)
            reasons[letter.reason] += 1
        return LettersKept(count, size, unreadable, oldest, latest, tuple(reasons.most_common(MOST_REASONS)))

    def first(self, limit: int, before: str) -> list[tuple[str, bytes]]:
        """
        The oldest letters: the ids of their events, each once, with these as they were encoded. Raises L{OSError}.

        @param before: only those that became letters before this time, as text.
        """
        found: dict[str, bytes] = {}
        size = 0
        for line in self._lines():
            letter = letter_of(line)
            if letter is None or letter.time >= before:
                continue
            event = bytes(letter.event)
            if len(found) >= limit or (found and size + len(event) > MOST_BYTES):
                break
            found.setdefault(id_of(event), event)
            size += len(event)
        return list(found.items())

    def count(self, before: str) -> int:
        """How many became letters before this time, as text. Raises L{OSError}."""
        letters = map(letter_of, self._lines())
        return sum(letter is not None and letter.time < before for letter in letters)

    def take_out(self, ids: Collection[str], before: str) -> None:
        """
        Forget the letters of these events. Raises L{OSError}.

        @param before: only those that became letters before this time, as text.
        """
        self._rewrite(lambda letter: letter.time < before and id_of(bytes(letter.event)) in ids, None)

    def renew(self, ids: Collection[str], why: str, now: str, before: str) -> None:
        """
        The letters of these events have another reason and another time from now on; see L{append}, L{take_out}. None
        goes for lack of room.
        """
        start = b'{"time":%b,"reason":%b,"event":' % (msgspec.json.encode(now), msgspec.json.encode(why))
        self._rewrite(lambda letter: letter.time < before and id_of(bytes(letter.event)) in ids, start)

    def _rewrite(self, wanted: Callable[[Letter], bool], start: bytes | None) -> None:
        with _locked(self._path + ".lock"):
            for path in (self._path + ".1", self._path):
                with suppress(FileNotFoundError):
                    _rewrite(path, wanted, start)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """
        Nobody else sends them meanwhile, in any process.

        @raise BlockingIOError: somebody does.
        """
        os.makedirs(os.path.dirname(self._path) or ".", mode=0o700, exist_ok=True)
        with _locked(self._path + ".sent.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield

    def _lines(self) -> Iterator[bytes]:
        """Those of both files, the oldest first; what is appended meanwhile may be among them."""
        for path in (self._path + ".1", self._path):
            with suppress(FileNotFoundError), open(path, "rb") as file:
                yield from file


def letter_of(line: bytes) -> Letter | None:
    """The letter that a line is; C{None} for none."""
    try:
        return msgspec.json.decode(line, type=Letter)
    except (msgspec.DecodeError, RecursionError):
        return None


def id_of(event: bytes) -> str:
    """The id of an encoded event; one without is known by its bytes."""
    try:
        return msgspec.json.decode(event, type=_Named).id or event.decode("utf-8", "replace")
    except (msgspec.DecodeError, RecursionError):
        return event.decode("utf-8", "replace")


_APPENDED = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW


@contextmanager
def _locked(path: str, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, how)
        yield
    finally:
        os.close(fd)


def _rewrite(path: str, wanted: Callable[[Letter], bool], start: bytes | None) -> None:
    """
    A file without some letters, or with another start of each, in one step; it goes where nothing is left.
    """
    left = False
    new = path + ".new"
    with open(path, "rb") as old, open(os.open(new, _NEW, 0o600), "wb") as file:
        for line in old:
            letter = letter_of(line)
            if letter is None or not wanted(letter):
                file.write(line)
                left = True
            elif start is not None:
                file.write(start + bytes(letter.event) + b"}\n")
                left = True
    if left:
        os.replace(new, path)
    else:
        os.unlink(new)
        os.unlink(path)
