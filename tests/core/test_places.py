"""Tests for L{llmproxy.core.places}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.inspection.endpointrules import Rules
from llmproxy.core.places import Places, union
from llmproxy.errors import ParamNotAllowed

ONE = Places(one=frozenset({"deployments"}), models=(("deployment",),), naming=("deployments",), methods=("run",))
OTHER = Places(
    one=frozenset({"engines"}),
    several=frozenset({"models"}),
    with_methods=frozenset({"models"}),
    methods=("[a-z]+Content", "run"),
    models=(("deployment",), ("setup", "model")),
    unseen_ends=(b"/import",),
)


class UnionTests(SynchronousTestCase):
    def test_both(self) -> None:
        """All of each, once, in their order."""
        both = union([ONE, OTHER])
        self.assertEqual(both.one, {"deployments", "engines"})
        self.assertEqual(both.models, (("deployment",), ("setup", "model")))
        self.assertEqual(both.methods, ("run", "[a-z]+Content"))
        self.assertEqual(union([]), Places())
        self.assertEqual(union([both, ONE, OTHER]), both)

    def test_methods(self) -> None:
        """Without methods nothing of a name is one; of several any is."""
        self.assertIsNone(Places().method.fullmatch("x:run"))
        both = union([ONE, OTHER])
        for text, name in (("x:run", "x"), ("x:0:generateContent", "x:0")):
            match = both.method.fullmatch(text)
            self.assertEqual(match and match[1], name, (text, name))
        self.assertIsNone(both.method.fullmatch("llama3:latest"))

    def test_new_vendor(self) -> None:
        """What a vendor adds is checked wherever it is: in paths, and where nothing can be seen."""
        places = union([ONE, Places(one=frozenset({"agents"}), unseen=frozenset({"parts"}))])
        rules = Rules.compile({"model": ["ok"]}, places)
        rules.check_path(b"/v9/agents/ok/ask")
        self.assertRaises(ParamNotAllowed, rules.check_path, b"/v9/agents/evil/ask")
        self.assertRaises(ParamNotAllowed, rules.check_path, b"/v9/%61gents/evil/ask")
        self.assertEqual([rules.is_unseen(path) for path in (b"/v9/parts/1", b"/v9/whole")], [True, False])
        self.assertFalse(Rules.compile({"n": ["1"]}, places).is_unseen(b"/v9/parts/1"))
