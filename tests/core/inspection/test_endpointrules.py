"""Tests for L{llmproxy.core.inspection.endpointrules}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.endpointrules import EndpointRules
from llmproxy.errors import EndpointNotFound, ParamNotAllowed
from llmproxy.providers.registry import PLACES

from ...tables import row

RULES = EndpointRules.compile(
    {"model": ["gpt-*"], "n": ["1"], "/v1/images": {"model": ["dall-e-3"]}, "/v1/images/edits": {"size": ["1x1"]}},
    ["/v1/audio", "/v1/*/raw"],
    places=PLACES,
)


def patterns(path: bytes) -> dict[str, tuple[str, ...]] | None:
    rules = RULES.at(path)
    return None if rules is None else {name: rule.patterns for name, rule in rules.parameters.items()}


class EndpointRulesTests(SynchronousTestCase):
    def test_table(self) -> None:
        """An endpoint's own rules stand above the general ones, and nothing is checked where that was accepted."""
        general = {"model": ("gpt-*",), "n": ("1",)}
        for path, expected in (
            (b"/v1/chat/completions", general),
            (b"/v1/imagesX", general),
            (b"/v1/images/generations", {"model": ("dall-e-3",), "n": ("1",)}),
            (b"/v1/images/edits", {**general, "size": ("1x1",)}),
            (b"/v1/audio/speech", None),
            (b"/v1/files/raw/x", None),
            (b"/v1/audiobook", general),
        ):
            self.assertEqual(patterns(path), expected, path)

    def test_two_ways(self) -> None:
        """A path that some server takes for another endpoint than we do is refused."""
        for path in (b"/V1/images/x", b"/v1//images", b"/v1%2Fimages", b"/v1/images;x/y", b"/v1/%2569mages"):
            with row(path):
                self.assertRaises(EndpointNotFound, RULES.at, path)

    def test_reference(self) -> None:
        """A whitelist as the reference has it holds everywhere."""
        rules = EndpointRules.compile({"model": ["a"]}, places=PLACES)
        self.assertTrue(rules)
        self.assertEqual([name for name, _ in rules], [""])
        self.assertIs(rules.at(b"/V1//x"), rules.general)
        self.assertFalse(EndpointRules.compile({}, ["/v1"], places=PLACES))

    def test_path(self) -> None:
        """The model of the path is judged by the rules of the path."""
        rules = RULES.at(b"/openai/deployments/evil")
        assert rules is not None
        rules.check_path(b"/openai/deployments/gpt-4o/chat/completions")
        error = self.assertRaises(ParamNotAllowed, rules.check_path, b"/openai/deployments/evil")
        self.assertIn("Allowed patterns: [gpt-*]", error.message)
        EndpointRules.compile({"n": ["1"]}, places=PLACES).at(b"/").check_path(b"/models/evil")  # type: ignore[union-attr]
