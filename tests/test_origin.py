"""Tests for L{llmproxy.origin}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.origin import CredentialPlace, Origin, OwnKey, Upstream, cache_space, query_keys, space_of

HERE = Origin("https", "a.example", 443, b"a.example")
THERE = Origin("http", "::1", 8080, b"[::1]:8080")


class UpstreamTests(SynchronousTestCase):
    def test_url(self) -> None:
        """A place is called by where it is."""
        for upstream, expected in (
            (Upstream(HERE), "https://a.example"),
            (Upstream(HERE, b"/base"), "https://a.example/base"),
            (Upstream(THERE, b"/v1"), "http://[::1]:8080/v1"),
        ):
            self.assertEqual(upstream.url, expected, upstream)

    def test_secrets_are_not_shown(self) -> None:
        """An upstream that ends up in a log shows no key."""
        self.assertNotIn("canary", repr(Upstream(HERE, own_key=OwnKey("sk-canary", None))))

    def test_where_keys_go(self) -> None:
        """A key goes into a field, a parameter of the query or nowhere."""
        for place, field, query in (
            (CredentialPlace(), b"authorization", set()),
            (CredentialPlace("header", b"X-Custom", b"Key "), b"x-custom", set()),
            (CredentialPlace("query", b"API-Key", b""), b"", {b"key", b"api-key"}),
            (CredentialPlace("none", b"", b""), b"", set()),
        ):
            upstream = Upstream(HERE, credential=place)
            self.assertEqual((upstream.key_field, query_keys([upstream])), (field, query), place)

    def test_space(self) -> None:
        """Caches know an API by all of its upstreams, with the models of each; shares and keys say nothing."""
        one, two = Upstream(HERE), Upstream(THERE, models={"gpt": "llama"})
        self.assertEqual(space_of("x", (one,)), cache_space("x", [(HERE, b"")]))
        expected = cache_space("x", [(HERE, b""), (THERE, b"")], [("gpt", "llama")])
        self.assertEqual(space_of("x", (two, one)), expected)
        other = Upstream(HERE, weight=3, own_key=OwnKey("k", None), provider="openai")
        self.assertEqual(space_of("x", (other,)), space_of("x", (one,)))


class SpaceTests(SynchronousTestCase):
    def test_where_it_leads(self) -> None:
        """Answers are of one space only where the name, every place and every model behind a name are the same."""
        here = Origin("https", "a.example", 443, b"a.example")
        places: dict[str, tuple[str, list[tuple[Origin, bytes]], dict[str, str]]] = {
            "same": ("x", [(here, b"")], {}),
            "name": ("y", [(here, b"")], {}),
            "scheme": ("x", [(Origin("http", "a.example", 443, b"a.example:443"), b"")], {}),
            "host": ("x", [(Origin("https", "b.example", 443, b"b.example"), b"")], {}),
            "port": ("x", [(Origin("https", "a.example", 444, b"a.example:444"), b"")], {}),
            "prefix": ("x", [(here, b"/v1")], {}),
            "two": ("x", [(here, b""), (here, b"/v1")], {}),
            "models": ("x", [(here, b"")], {"gpt": "llama"}),
            "other models": ("x", [(here, b"")], {"gpt": "qwen"}),
            "turned": ("x", [(here, b"")], {"llama": "gpt"}),
            "name of a name": ("x", [(here, b"")], {"gpt": "", "llama": ""}),
        }
        spaces = {cache_space(name, at, models.items()) for name, at, models in places.values()}
        self.assertEqual(len(spaces), len(places))

    def test_order_says_nothing(self) -> None:
        """The same upstreams and models written in another order, or in other letters, are the same."""
        one, other = (Origin("https", f"{name}.example", 443, b"") for name in "ab")
        upper = Origin("https", "A.EXAMPLE", 443, b"")
        self.assertEqual(
            cache_space("x", [(one, b""), (other, b"/v1")]), cache_space("x", [(other, b"/v1"), (upper, b"")])
        )
        self.assertEqual(
            cache_space("x", [], {"a": "b", "c": "d"}.items()), cache_space("x", [], {"c": "d", "a": "b"}.items())
        )
