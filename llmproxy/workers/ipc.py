"""Messages between a parent and its workers, over pipes that nobody else holds."""

from __future__ import annotations

import pickle
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import msgspec
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Control(Protocol):
    """
    A line of JSON a message, with a C{kind} and whatever belongs to it.

    It reads only: what is said goes into the pipe of the other direction.

    @param heard: called with the kind and the rest of each message.
    @param gone: called when the other side has closed.
    """

    def __init__(self, heard: Callable[[str, dict[str, Any]], object], gone: Callable[[], object]) -> None:
        self._heard = heard
        self._gone = gone
        self._waiting: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        for line in lines:
            whole = b"".join([*self._waiting, line])
            self._waiting.clear()
            values = _decode(whole)
            self._heard(values.pop("kind"), values)
        if rest:
            self._waiting.append(rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._gone()


def message(kind: str, **values: Any) -> bytes:
    """The bytes of a message."""
    return _encode({"kind": kind, **values}) + b"\n"


def packed(value: Any) -> str:
    """
    A value of ours as text.

    The pipe's other end runs the same program for the same user, so that what pickle can be made to do
    is nothing that it could not do anyway.
    """
    return b64encode(pickle.dumps(value)).decode("ascii")


def unpacked(text: str) -> Any:
    """What was L{packed}."""
    return pickle.loads(b64decode(text))  # noqa: S301
