"""
Content codings of requests, undone a bounded piece at a time for who only looks at the content.

RFC 9110 section 8.4.1 (gzip, deflate), RFC 7932 (br), RFC 9659 (zstd and its window). What one server reads and another
one does not is refused: a second gzip member or zstd frame, a checksum that is wrong, C{deflate} without its frame.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from ..errors import BadRequest, ContentTooLarge, UnsupportedMediaType

PIECE = 64 * 1024
"""Bytes that come out of a coding at once."""

MOST_CODINGS = 3
"""One over the other. Each is another chance to make much of little."""

FREE = 1024 * 1024
"""Bytes that may come out of however few: a short request with a long repetition is no bomb."""

MOST_RATIO = 200
"""
How many bytes may come out of one, above L{FREE}. Prompts come to 3 to 10, logs and base64 of a blank picture to less
than 100; deflate can reach 1,032, zstd and br far more.
"""

ZSTD_WINDOW_LOG = 23
"""RFC 9659 section 3: 8 MiB is what a decoder of the web has to have, and no more."""


class _Inflater(Protocol):
    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What comes out of C{data}, at most L{PIECE} bytes at a time; C{ValueError} if it is malformed."""

    def ended(self) -> bool:
        """Whether the stream is complete."""


class _Zlib:
    """C{gzip} and C{deflate}."""

    def __init__(self, wbits: int) -> None:
        self._inflate = zlib.decompressobj(wbits)
        self._framed = wbits <= zlib.MAX_WBITS
        self._head = b""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        inflate = self._inflate
        if self._framed and len(self._head) < 5:
            self._head += data[: 5 - len(self._head)]
            _check_two_ways(self._head)
        while data:
            if inflate.eof:
                raise ValueError("there is more behind its end")
            piece = inflate.decompress(data, PIECE)
            if piece:
                yield piece
            data = inflate.unconsumed_tail or inflate.unused_data

    def ended(self) -> bool:
        return self._inflate.eof


def _check_two_ways(head: bytes) -> None:
    # Some servers take raw deflate for this coding. To them a frame of zlib begins a block that is stored, RFC 1951
    # section 3.2.4, and is malformed unless its length stands there a second time, inverted.
    if len(head) == 5 and all(a ^ b == 0xFF for a, b in zip(head[1:3], head[3:5], strict=True)):
        raise ValueError("it can be read in two ways")


class _Zstd:
    def __init__(self, zstd: Any) -> None:
        options = {zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG}
        self._inflate = zstd.ZstdDecompressor(options=options)
        self._error = zstd.ZstdError

    def pieces(self, data: bytes) -> Iterator[bytes]:
        inflate = self._inflate
        while data or not (inflate.eof or inflate.needs_input):
            if inflate.eof:
                raise ValueError("there is more behind its end")
            try:
                piece = inflate.decompress(data, PIECE)
            except self._error as error:
                raise ValueError(str(error)) from None
            if piece:
                yield piece
            data = inflate.unused_data if inflate.eof else b""

    def ended(self) -> bool:
        return bool(self._inflate.eof)


class _Brotli:
    def __init__(self, brotli: Any) -> None:
        self._inflate = brotli.Decompressor()
        self._error = brotli.error

    def pieces(self, data: bytes) -> Iterator[bytes]:
        inflate = self._inflate
        while True:
            if data and inflate.is_finished():
                raise ValueError("there is more behind its end")
            try:
                piece = inflate.process(data, output_buffer_limit=PIECE)
            except self._error as error:
                raise ValueError(str(error)) from None
            yield from (piece[at : at + PIECE] for at in range(0, len(piece), PIECE))
            data = b""
            if inflate.is_finished() or (not piece and inflate.can_accept_more_data()):
                return

    def ended(self) -> bool:
        return bool(self._inflate.is_finished())


def _zstd() -> Any:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def _brotli() -> Any:
    import brotli

    if not hasattr(brotli.Decompressor, "can_accept_more_data"):
        # Before 1.2 nothing bounded what came out at once.
        raise ImportError("brotli 1.2 is needed")
    return brotli


_MAKERS: dict[bytes, Callable[[], _Inflater]] = {
    b"gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    # RFC 9110 section 8.4.1.3
    b"x-gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    b"deflate": lambda: _Zlib(zlib.MAX_WBITS),
    b"zstd": lambda: _Zstd(_zstd()),
    b"br": lambda: _Brotli(_brotli()),
}

_EXTRAS = {b"zstd": "zstd", b"br": "brotli"}


class Decoder:
    """
    A reader of coded content.

    @param codings: in the order in which they were applied, in lower case.
    @param most: bytes that may come out; C{None} is bounded by the ratio alone.
    @raise UnsupportedMediaType: one of them is not known, or its library is not installed.
    """

    def __init__(self, codings: Sequence[bytes], most: int | None = None) -> None:
        if len(codings) > MOST_CODINGS:
            raise _unsupported(f"at most {MOST_CODINGS} content codings of a request can be checked")
        self._names = b", ".join(codings).decode("latin-1")
        self._inflaters = [_inflater(coding) for coding in reversed(codings)]
        self._most = most
        self._taken = self._given = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """
        What comes out of C{data}, in pieces of at most L{PIECE} bytes, each made when it is asked for.

        @raise BadRequest: it is malformed.
        @raise ContentTooLarge: too much comes out, in all or for what went in.
        """
        self._taken += len(data)
        try:
            for piece in self._through(data, 0):
                self._given += len(piece)
                self._check_size()
                yield piece
        except (ValueError, zlib.error):
            raise BadRequest(f"the request body is not valid {self._names[:80]}") from None

    def end(self) -> None:
        """
        @raise BadRequest: the end is missing.
        """
        if not all(inflater.ended() for inflater in self._inflaters):
            raise BadRequest(f"the request body is not complete {self._names[:80]}")

    def _through(self, data: bytes, at: int) -> Iterator[bytes]:
        if at == len(self._inflaters):
            yield data
            return
        for piece in self._inflaters[at].pieces(data):
            yield from self._through(piece, at + 1)

    def _check_size(self) -> None:
        if self._most is not None and self._given > self._most:
            raise ContentTooLarge(f"parameters are checked in bodies of up to {self._most} bytes, decoded")
        if self._given > FREE + MOST_RATIO * self._taken:
            raise ContentTooLarge(f"more than {MOST_RATIO} bytes come out of each byte of the request body")


def _inflater(coding: bytes) -> _Inflater:
    make = _MAKERS.get(coding)
    if make is None:
        raise _unsupported(f"the content coding '{coding[:40].decode('latin-1')}' cannot be checked")
    try:
        return make()
    except ImportError:
        extra = _EXTRAS[coding]
        raise _unsupported(
            f"the content coding '{coding.decode()}' cannot be checked here: pip install 'txllmproxy[{extra}]'"
        ) from None


def _unsupported(why: str) -> UnsupportedMediaType:
    """RFC 9110 section 15.5.16: a 415 for a content coding says which ones would do."""
    return UnsupportedMediaType(why, fields=((b"Accept-Encoding", b", ".join([*available(), b"identity"])),))


def available() -> list[bytes]:
    """The codings that can be undone with what is installed."""
    return [coding for coding in (b"zstd", b"br", b"gzip", b"deflate") if _is_available(coding)]


def _is_available(coding: bytes) -> bool:
    try:
        _MAKERS[coding]()
    except ImportError:
        return False
    return True
