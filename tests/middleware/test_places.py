"""Tests for L{llmproxy.middleware.places}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import ApiSettings, BalanceSettings
from llmproxy.core.upstreamstate import UpstreamStates
from llmproxy.message import Api, Project
from llmproxy.middleware.places import Place, Places, Tried, sticky_of
from llmproxy.origin import CredentialPlace, OwnKey, Upstream
from tests.tables import row

from .fakes import PRINCIPAL, a_request, an_api, an_upstream

NO_KEY = CredentialPlace("none", b"", b"")


class Opened:
    """Circuits that the test has opened, by the name of the upstream and the key."""

    def __init__(self) -> None:
        self.open: set[tuple[str, str]] = set()

    def is_open(self, api: Api, upstream: Upstream, project: Project, key: str, model: str) -> bool:
        return (upstream.name, key) in self.open


class PlacesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.now, self.draw = 0.0, 0.0
        self.circuits = Opened()

    def use(self, *upstreams: Upstream, **balance: Any) -> None:
        self.api = an_api("own", upstreams=upstreams, settings=ApiSettings(balance=BalanceSettings(**balance)))
        self.states = UpstreamStates([self.api])
        self.places = Places(self.states, self.circuits, lambda: self.now, lambda: self.draw)
        self.request = a_request(api=self.api, principal=PRINCIPAL)

    def chosen(self, tried: Tried | None = None, model: str = "") -> Place | None:
        return self.places.choose(self.request, self.request.route, model, tried)

    def name(self, tried: Tried | None = None, model: str = "") -> str:
        place = self.chosen(tried, model)
        return "" if place is None else place.upstream.name

    def test_keys(self) -> None:
        """One without a key for the caller is none; a key whose circuit is open is the last that is asked with."""
        a, b = an_upstream(name="a"), an_upstream(name="b", own_key=OwnKey("kb", None))
        self.use(a, b)
        self.assertEqual(self.name(), "b")
        self.request.principal = evolve_keys({"own": ("k1", "k2")})
        self.circuits.open = {("a", "k1")}
        place = self.chosen()
        assert place is not None
        self.assertEqual((place.upstream.name, place.key, place.standing), ("a", "k2", "well"))
        self.circuits.open |= {("a", "k2")}
        self.assertEqual(self.name(), "b")

    def test_key_is_not_shown(self) -> None:
        """A place in a traceback shows no key."""
        self.use(an_upstream(name="a", own_key=OwnKey("canary", None)))
        self.assertNotIn("canary", repr(self.chosen()))

    def test_slow_start(self) -> None:
        """One that has come back has a tenth of its share at first."""
        a, b = (an_upstream(name=name, credential=NO_KEY) for name in "ab")
        self.use(a, b, slow_start=10.0)
        state = self.states.of(a)
        state.drain()
        state.undrain(0.0)
        for now, draw, expected in ((0.0, 0.05, "a"), (0.0, 0.2, "b"), (10.0, 0.2, "a")):
            with row(now, draw):
                self.now, self.draw = now, draw
                self.assertEqual(self.name(), expected)

    def test_tried(self) -> None:
        """What was tried is left out: an upstream, or one of its keys."""
        a, b = an_upstream(name="a"), an_upstream(name="b", priority=2)
        self.use(a, b)
        self.request.principal = evolve_keys({"own": ("k1", "k2")})
        tried = Tried(keys={(a, "k1")})
        place = self.chosen(tried)
        assert place is not None
        self.assertEqual((place.upstream.name, place.key), ("a", "k2"))
        tried.keys.add((a, "k2"))
        self.assertEqual(self.name(tried), "b")
        tried.upstreams.add(b)
        self.assertIsNone(self.chosen(tried))

    def test_serves(self) -> None:
        """A pattern is a pattern; what is not known can be anywhere."""
        a = an_upstream(name="a", credential=NO_KEY, serves=("gpt-4o*", "o3"))
        self.use(a)
        for model, expected in (("gpt-4o", "a"), ("gpt-4o-mini", "a"), ("o3", "a"), ("o3-mini", ""), ("", "a")):
            with row(model):
                self.assertEqual(self.name(model=model), expected)

    def test_same_names(self) -> None:
        """Of an application whose upstreams have no names, each is still one."""
        a, b = an_upstream(credential=NO_KEY), an_upstream(credential=NO_KEY, path_prefix=b"/b")
        self.use(a, b)
        self.draw = 0.9
        place = self.chosen()
        assert place is not None
        self.assertIs(place.upstream, b)

    def test_sticky(self) -> None:
        """What decides: the project, the token, or a field; where that is missing, nothing."""
        request = a_request(fields=[(b"X-User", b"u1")], api=an_api(), principal=PRINCIPAL)
        for sticky, expected in (
            ("project", b"p-1"),
            ("token", b"t-1"),
            ("header:x-user", b"u1"),
            ("header:x-other", b""),
        ):
            with row(sticky):
                self.assertEqual(sticky_of(request, sticky), expected)


def evolve_keys(keys: dict[str, tuple[str, ...]]) -> Any:
    """The principal, whose project has these keys."""
    return type(PRINCIPAL)(PRINCIPAL.token, evolve(PRINCIPAL.project, api_keys=keys))
