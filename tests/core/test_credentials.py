"""Tests for L{llmproxy.core.credentials}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.credentials import without_keys

SECRET = b"sk-AAAAAAAAAAAAAAAAAAAAAA"


class WithoutKeysTests(SynchronousTestCase):
    def test_token_of_ours(self) -> None:
        """C{key} goes where it holds a token of ours, however it is written, and else is a parameter as any other."""
        none = frozenset[bytes]()
        for target, expected in (
            (b"/a?key=" + SECRET, b"/a"),
            (b"/a?b&key=" + SECRET + b"&c=%2F", b"/a?b&c=%2F"),
            (b"/a?%6Bey=" + SECRET, b"/a"),
            (b"/a?ke%79=sk%2D" + SECRET[3:] + b"&", b"/a?"),
            (b"/a?key=cursor", b"/a?key=cursor"),
            (b"/a?key=" + SECRET + b"x", b"/a?key=" + SECRET + b"x"),
            (b"/a?monkey=" + SECRET, b"/a?monkey=" + SECRET),
            (b"/a?&&", b"/a?&&"),
            (b"/a", b"/a"),
        ):
            self.assertEqual(without_keys(target, none), expected, target)

    def test_names(self) -> None:
        """What a provider takes a key in goes whatever it holds, and in any case of letters."""
        names = frozenset({b"api-key"})
        for target, expected in (
            (b"/a?api-key=1", b"/a"),
            (b"/a?b=2&API%2Dkey=1", b"/a?b=2"),
            (b"/a?api-key", b"/a"),
            (b"/a?api-keys=1&my-api-key=2", b"/a?api-keys=1&my-api-key=2"),
            (b"/a?b&", b"/a?b&"),
        ):
            self.assertEqual(without_keys(target, names), expected, target)
