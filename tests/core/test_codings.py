"""Tests for L{llmproxy.core.codings}."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core import codings
from llmproxy.core.codings import FREE, MOST_CODINGS, PIECE, Decoder
from llmproxy.errors import BadRequest, ContentTooLarge, UnsupportedMediaType

from ..properties import examples
from ..tables import row

ENCODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"x-gzip": gzip.compress,
    b"deflate": zlib.compress,
}
if b"zstd" in codings.available():
    ENCODERS[b"zstd"] = codings._zstd().compress
if b"br" in codings.available():
    ENCODERS[b"br"] = codings._brotli().compress
MISSING = None if len(ENCODERS) == 5 else "the libraries of br and zstd are not installed (extra test)"


def decoded(names: list[bytes], data: bytes, size: int = 1 << 20, most: int | None = None) -> bytes:
    decoder = Decoder(names, most)
    pieces = [piece for at in range(0, len(data), size) for piece in decoder.feed(data[at : at + size])]
    decoder.end()
    assert all(len(piece) <= PIECE for piece in pieces)
    return b"".join(pieces)


class DecoderTests(SynchronousTestCase):
    @given(st.binary(max_size=2000), st.lists(st.sampled_from(sorted(ENCODERS)), max_size=3), st.integers(1, 50))
    @settings(max_examples=examples(100), deadline=None)
    def test_every_split(self, content: bytes, names: list[bytes], size: int) -> None:
        """What was encoded comes out, however the bytes arrive, through several codings too."""
        data = content
        for name in names:
            data = ENCODERS[name](data)
        self.assertEqual(decoded(names, data, size), content)

    def test_large(self) -> None:
        """Large content comes out in bounded pieces."""
        content = bytes(range(256)) * 4096
        for name, encode in ENCODERS.items():
            self.assertEqual(decoded([name], encode(content)), content, name)

    def test_cut(self) -> None:
        """A body whose end is missing is no body."""
        for name, encode in ENCODERS.items():
            data = encode(b"content of a request")
            for end in range(len(data)):
                with row(name, end):
                    self.assertRaises(BadRequest, decoded, [name], data[:end])

    def test_behind_the_end(self) -> None:
        """More behind the end is refused, since some servers would read it: a second member, a second frame."""
        for name, encode in ENCODERS.items():
            for more in (encode(b"more"), b"x", b"\0"):
                for size in (1, 1000):
                    with row(name, more, size):
                        self.assertRaises(BadRequest, decoded, [name], encode(b"content") + more, size)

    def test_malformed(self) -> None:
        """What is not of the coding is a 400, its bytes not repeated."""
        for name in ENCODERS:
            for data in (b'{"model":"evil"}', b"\xff" * 50, b"\0" * 50):
                with row(name, data):
                    error = self.assertRaises(BadRequest, decoded, [name], data)
                self.assertNotIn("evil", error.description)
        wrong = bytearray(gzip.compress(b"content"))
        wrong[-5] ^= 1
        self.assertRaises(BadRequest, decoded, [b"gzip"], bytes(wrong))

    def test_raw_deflate(self) -> None:
        """Deflate is what RFC 9110 says it is; what is both, and differs, is refused."""
        compress = zlib.compressobj(wbits=-15)
        self.assertRaises(BadRequest, decoded, [b"deflate"], compress.compress(b"content") + compress.flush())
        both = b"\x78\x01\x00\xfe\xff" + b"A" * 300
        error = self.assertRaises(BadRequest, decoded, [b"deflate"], both, 1)
        self.assertIn("deflate", error.description)

    def test_bombs(self) -> None:
        """A bomb is stopped soon after the bound, whatever its size, and little more than the bound comes out of it."""
        for name, encode in ENCODERS.items():
            data = encode(b"\0" * (16 * FREE))
            for most, bound in ((None, FREE + 200 * len(data)), (100_000, 100_000)):
                if bound >= 16 * FREE:
                    continue
                decoder, given = Decoder([name], most), 0
                with self.assertRaises(ContentTooLarge):
                    for piece in decoder.feed(data):
                        given += len(piece)
                self.assertLessEqual(given, bound, name)

    def test_bomb_in_a_bomb(self) -> None:
        """Two codings do not multiply what comes out."""
        data = gzip.compress(ENCODERS[b"zstd"](b"\0" * (64 * FREE)))
        given = 0
        with self.assertRaises(ContentTooLarge):
            for piece in Decoder([b"zstd", b"gzip"]).feed(data):
                given += len(piece)
        self.assertLessEqual(given, FREE + 200 * len(data))

    test_bomb_in_a_bomb.skip = MISSING  # type: ignore[attr-defined]

    def test_window(self) -> None:
        """A zstd frame that wants a larger window than the web's is refused before that is allocated."""
        zstd = codings._zstd()
        parameters = {zstd.CompressionParameter.window_log: 27, zstd.CompressionParameter.content_size_flag: 0}
        compressor = zstd.ZstdCompressor(options=parameters)
        data = compressor.compress(b"content") + compressor.flush()
        self.assertRaises(BadRequest, decoded, [b"zstd"], data)

    test_window.skip = MISSING  # type: ignore[attr-defined]

    def test_unsupported(self) -> None:
        """A coding that is not known is a 415 that says which ones are; so are too many of them."""
        for names in ([b"compress"], [b"gzip", b"aes128gcm"], [b"gzip"] * (MOST_CODINGS + 1)):
            with row(names):
                error = self.assertRaises(UnsupportedMediaType, Decoder, names)
            self.assertEqual(error.fields, ((b"Accept-Encoding", b"zstd, br, gzip, deflate, identity"),), names)

    test_unsupported.skip = MISSING  # type: ignore[attr-defined]

    def test_not_installed(self) -> None:
        """Where the library is missing, the 415 names what to install, and does not offer the coding."""
        before = dict(sys.modules)
        self.addCleanup(sys.modules.update, before)
        for name in ("brotli", "backports", "backports.zstd", "compression", "compression.zstd"):
            sys.modules[name] = None  # type: ignore[assignment]
            if name not in before:
                self.addCleanup(sys.modules.pop, name, None)
        for coding, extra in ((b"br", "brotli"), (b"zstd", "zstd")):
            with row(coding):
                error = self.assertRaises(UnsupportedMediaType, Decoder, [coding])
            self.assertIn(f"pip install 'txllmproxy[{extra}]'", error.description)
            self.assertEqual(error.fields, ((b"Accept-Encoding", b"gzip, deflate, identity"),), (coding, extra))
