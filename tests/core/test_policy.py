"""Tests for L{llmproxy.core.policy}."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.policy import Policy
from llmproxy.providers.registry import PLACES

from ..properties import examples


def a_policy(**changes: Any) -> Policy:
    return Policy.compile(**{"allowed_methods": [], "allowed_endpoints": [], "places": PLACES, **changes})


class PlacesTests(SynchronousTestCase):
    def test_nowhere(self) -> None:
        """A whitelist without a place in which it could hold is refused."""
        self.assertRaises(ValueError, a_policy, param_whitelist={"model": ["x"]}, places=None)
        self.assertFalse(a_policy(places=None).whitelist)


class MethodTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Methods are configured in any case, sent in their own, and GET brings HEAD with it."""
        policy = a_policy(allowed_methods=["get", "Post"])
        for method, allowed in (
            (b"GET", True),
            (b"POST", True),
            (b"HEAD", True),
            (b"get", False),
            (b"DELETE", False),
            (b"OPTIONS", False),
        ):
            self.assertEqual(policy.allows_method(method), allowed, method)
        self.assertEqual(policy.methods, (b"GET", b"POST", b"HEAD"))

    def test_none_listed(self) -> None:
        """Where no method is listed, every one is allowed."""
        self.assertTrue(a_policy().allows_method(b"PURGE"))

    def test_never(self) -> None:
        """A method that would show the project's key, or leave the API, is never allowed and cannot be listed."""
        for method in ("TRACE", "trace", "TRACK", "CONNECT"):
            self.assertFalse(a_policy().allows_method(method.upper().encode()), method)
            self.assertRaises(ValueError, a_policy, allowed_methods=["GET", method])


class EndpointTests(SynchronousTestCase):
    def check(self, entries: list[str], table: tuple[tuple[bytes, str | None], ...]) -> None:
        policy = a_policy(allowed_endpoints=entries)
        for path, entry in table:
            self.assertEqual(policy.endpoint(path), entry, path)

    def test_segments(self) -> None:
        """An entry allows itself and what lies below it, not what begins with the same letters."""
        self.check(
            ["/v1/models", "/v1/models/secret", "/v1/files/"],
            (
                (b"/v1/models", "/v1/models"),
                (b"/v1/models/", "/v1/models"),
                (b"/v1/models/gpt-4o", "/v1/models"),
                (b"/v1/models/secret/x", "/v1/models/secret"),
                (b"/v1/models-evil", None),
                (b"/v1/modelsX", None),
                (b"/v1/models;x", None),
                (b"/v1/files/f-1/content", "/v1/files/"),
                (b"/v1", None),
                (b"/", None),
                (b"", None),
                (b"*", None),
            ),
        )

    def test_root(self) -> None:
        """The entry / allows every path that is one."""
        self.check(["/"], ((b"/", "/"), (b"/a/b", "/"), (b"/a/../b", None)))

    def test_stars(self) -> None:
        """A star stands for one segment, or for a part of one; never for a slash, however it is written."""
        self.check(
            ["/v1/files/*/content", "/v1beta/models/*:generateContent"],
            (
                (b"/v1/files/f-1/content", "/v1/files/*/content"),
                (b"/v1/files/f-1/content/x", "/v1/files/*/content"),
                (b"/v1/files/100%25/content", "/v1/files/*/content"),
                (b"/v1/files/f-1", None),
                (b"/v1/files//content", None),
                (b"/v1/files/a/b/content", None),
                (b"/v1/files/a%2Fb/content", None),
                (b"/v1/files/a%5cb/content", None),
                (b"/v1/files/f-1/contents", None),
                (b"/v1beta/models/gemini:generateContent", "/v1beta/models/*:generateContent"),
                (b"/v1beta/models/gemini%3AgenerateContent", "/v1beta/models/*:generateContent"),
                (b"/v1beta/models/gemini:streamGenerateContent", None),
                (b"/v1beta/models/a/b:generateContent", None),
            ),
        )

    def test_disguises(self) -> None:
        """A path that upstream could take for another one is allowed by no entry."""
        elsewhere = (
            b"/v1/models/../admin",
            b"/v1/models/./x",
            b"/v1/models/..",
            b"/v1/models/%2e%2e/admin",
            b"/v1/models/%2E./admin",
            b"/v1/models%2F..%2Fadmin",
            b"/v1/models/..%2fadmin",
            b"/v1/models/%252e%252e/admin",
            b"/v1/models/%25252e%25252e/admin",
            b"/v1/models/%" + b"25" * 40 + b"2e",
            b"/v1/models/..;/admin",
            b"/v1/models/..%3B/admin",
            b"/v1/models/..\\admin",
            b"/v1/models\\..\\admin",
            b"/v1/models/..%5cadmin",
            b"/v1/models/%",
            b"/v1/models/%2",
            b"/v1/models/%zz",
            b"/v1/models/%00",
            b"/v1/models/x%0d%0aHost:",
        )
        self.check(["/v1/models"], tuple((path, None) for path in elsewhere))
        self.check([], tuple((path, None) for path in elsewhere))
        self.check(["/v1/models"], ((b"/v1%2Fmodels", None), (b"//v1/models", None), (b"/v1//models", None)))

    def test_harmless(self) -> None:
        """Dots and percent signs that stand for themselves are nobody's disguise."""
        harmless = (
            b"/v1/models/gpt-3.5",
            b"/v1/models/.hidden",
            b"/v1/models/...",
            b"/v1/models/a..b",
            b"/v1/models/org%2Fmodel",
            b"/v1/models/https%3A%2F%2Fx.example",
            b"/v1/models/100%25",
            b"/v1/m%6fdels",
            b"/v1/models/\xc3\xa9",
        )
        self.check(["/v1/models"], tuple((path, "/v1/models") for path in harmless))

    @given(st.text(st.characters(codec="utf-8", categories=("L", "N")), min_size=1, max_size=8))
    @settings(max_examples=examples(50), deadline=None)
    def test_encoded_names(self, name: str) -> None:
        """However a client encodes a name, the same entry allows it."""
        policy = a_policy(allowed_endpoints=["/v1/" + name])
        every_byte = "".join(f"%{byte:02x}" for byte in name.encode())
        for written in (name.encode(), quote(name).encode(), every_byte.encode()):
            self.assertEqual(policy.endpoint(b"/v1/" + written + b"/x"), "/v1/" + name, written)

    @given(
        st.lists(st.sampled_from([b"..", b".", b"%2e", b"%2E", b"/", b"\\", b"%2f", b"%5C", b";", b"a"]), max_size=8)
    )
    @settings(max_examples=examples(50), deadline=None)
    def test_never_above(self, parts: list[bytes]) -> None:
        """No spelling of dots and slashes gets out of an allowed directory."""
        path = b"/v1/models/" + b"".join(parts)
        if a_policy(allowed_endpoints=["/v1/models"]).endpoint(path) is not None:
            read = path.replace(b"%2e", b".").replace(b"%2E", b".").replace(b"%2f", b"/").replace(b"%5C", b"/")
            segments = [segment.partition(b";")[0] for segment in read.replace(b"\\", b"/").split(b"/")]
            self.assertNotIn(b"..", segments)
            self.assertNotIn(b".", segments)


class OriginTests(SynchronousTestCase):
    def test_exact(self) -> None:
        """An origin is allowed as it is written, port included."""
        policy = a_policy(allowed_origins=["https://app.example"])
        self.assertTrue(policy.allows_origin(b"https://app.example"))
        for origin in (b"https://app.example:8443", b"http://app.example", b"https://app.example.evil", b"null"):
            self.assertFalse(policy.allows_origin(origin), origin)

    def test_any(self) -> None:
        """A star allows every origin."""
        self.assertTrue(a_policy(allowed_origins=["*"]).allows_origin(b"https://x.example"))


class RequiredTests(SynchronousTestCase):
    def test_origin_apart(self) -> None:
        """The origin is required with its own code, the others by their names in any case."""
        policy = a_policy(required_headers=["Origin", "X-Team"])
        self.assertTrue(policy.origin_required)
        self.assertEqual(policy.required_headers, (b"x-team",))
