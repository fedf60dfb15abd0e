"""Tests for L{llmproxy.core.credentials}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.credentials import is_keyless, keys_for, without_keys
from llmproxy.message import Project
from llmproxy.origin import CredentialPlace, OwnKey

from ..middleware.fakes import an_api

SECRET = b"sk-AAAAAAAAAAAAAAAAAAAAAA"


class WithoutKeysTests(SynchronousTestCase):
    def test_token_of_ours(self) -> None:
        """C{key} goes where it holds a token of ours or a JWT, however it is written, and else is a parameter."""
        none = frozenset[bytes]()
        for target, expected in (
            (b"/a?key=" + SECRET, b"/a"),
            (b"/a?b&key=" + SECRET + b"&c=%2F", b"/a?b&c=%2F"),
            (b"/a?%6Bey=" + SECRET, b"/a"),
            (b"/a?ke%79=sk%2D" + SECRET[3:] + b"&", b"/a?"),
            (b"/a?key=eyJh.e30.AA&b=1", b"/a?b=1"),
            (b"/a?key=eyJh%2Ee30%2EAA", b"/a"),
            (b"/a?key=eyJh.e30", b"/a?key=eyJh.e30"),
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


class KeysForTests(SynchronousTestCase):
    def test_table(self) -> None:
        """A project's key is for its own API; an API's own is for the projects that it names, by name or id."""
        project = Project("p-1", "search", {"openai": ("a", "b")})
        own = OwnKey("own", frozenset({"search"}))
        for name, changes, expected in (
            ("openai", {}, ("a", "b")),
            ("openai", {"own_key": OwnKey("own", None)}, ("a", "b")),
            ("gemini", {}, ()),
            ("open", {}, ()),
            ("gemini", {"own_key": own}, ("own",)),
            ("gemini", {"own_key": OwnKey("own", frozenset({"p-1"}))}, ("own",)),
            ("gemini", {"own_key": OwnKey("own", None)}, ("own",)),
            ("gemini", {"own_key": OwnKey("own", frozenset({"Search", "p-12"}))}, ()),
            ("gemini", {"own_key": OwnKey("own")}, ()),
        ):
            api = an_api(name, **changes)
            self.assertEqual(keys_for(api, api.upstreams[0], project), expected, (name, changes))
            self.assertEqual(is_keyless(api, project), not expected, (name, changes))
        self.assertFalse(is_keyless(an_api("local", credential=CredentialPlace("none", b"", b"")), project))
        self.assertNotIn("own'", repr(own))
