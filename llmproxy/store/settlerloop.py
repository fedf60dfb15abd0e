"""
The loop of a settler: a process that writes records of usage for a busy proxy, C{python -m llmproxy.store.settlerloop}.

Messages of both directions are MessagePack behind their length, four bytes. The first to it is the URL of the
database, which is not for C{argv}; each later one is a batch of entries. It answers each in turn with L{Answer}, and
ends when its input does, as it does when its proxy is gone, however that ended.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from ..core.ledger.entry import Entry
from ..errors import OutcomeUnknown, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

LENGTH = 4

LONGEST = 64 * 1024 * 1024
"""Bytes of a message: a batch of the longest entries is half of it."""

READY = "ready"


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """
    @ivar problem: what became of a batch: C{""} for nothing, C{unavailable}, C{unknown} (see L{OutcomeUnknown}) or
        C{fault}. The first answer, L{READY}, is to the URL.
    @ivar words: of the problem.
    """

    problem: str = ""
    words: str = ""
    count: int = 0


class Wall:
    """The time of this process, as stores want it."""

    seconds = staticmethod(time.time)


_decode_batch = msgspec.msgpack.Decoder(list[Entry]).decode
_encode = msgspec.msgpack.Encoder().encode


def framed(content: bytes) -> bytes:
    return len(content).to_bytes(LENGTH, "big") + content


def serve(source: BinaryIO, write: Callable[[bytes], object], settle: Callable[[Sequence[Entry]], int]) -> None:
    """Answer one batch after the other until there is no more."""
    write(framed(_encode(Answer(READY))))
    while (content := read(source)) is not None:
        write(framed(_encode(_answered(content, settle))))


def _answered(content: bytes, settle: Callable[[Sequence[Entry]], int]) -> Answer:
    try:
        return Answer(count=settle(_decode_batch(content)))
    except OutcomeUnknown as error:
        return Answer("unknown", error.description)
    except Unavailable as error:
        return Answer("unavailable", error.description)
    except Exception as error:
        return Answer("fault", f"{type(error).__name__}: {error}"[:500])


def read(source: BinaryIO) -> bytes | None:
    """The next message; C{None} at the end, also in the middle of one."""
    head = source.read(LENGTH)
    if len(head) < LENGTH:
        return None
    size = int.from_bytes(head, "big")
    content = source.read(size)
    return content if len(content) == size else None


def settling(url: str) -> tuple[Callable[[Sequence[Entry]], int], Callable[[], object]]:
    """
    What settles entries in a database that its proxy has prepared, and what closes that.

    @raise Unavailable: it cannot be opened.
    """
    from .engine import open_database
    from .threads import NoThreads
    from .usagerecords import UsageRecords

    clock: Any = Wall()
    database = open_database(clock, url, threads=NoThreads)
    _result(database.join())
    records = UsageRecords(clock, database)
    return (lambda entries: int(_result(records.settle(entries)))), (lambda: _result(database.close()))


def _result(done: Any) -> Any:
    """Of what is done already, as all is without threads."""
    found: list[Any] = []
    done.addBoth(found.append)
    [result] = found
    if hasattr(result, "raiseException"):
        result.raiseException()
    return result


def main() -> None:
    # Ctrl-C and a stop of all processes of a service are for the proxy, which says here when it needs no more.
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    source, out = sys.stdin.buffer, sys.stdout.buffer

    def write(data: bytes) -> None:
        out.write(data)
        out.flush()

    url = read(source)
    if url is None:
        return
    settle, close = settling(url.decode())
    try:
        serve(source, write, settle)
    except BrokenPipeError:
        pass
    finally:
        close()
    # What is open has been closed: modules need not be taken apart.
    os._exit(0)


if __name__ == "__main__":
    main()
