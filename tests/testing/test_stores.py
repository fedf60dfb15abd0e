"""Tokens and projects in memory."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.errors import DuplicateName, TokenNotFound, TokenUsedUp
from llmproxy.interfaces import IProjectStore, ITokenValidator
from llmproxy.message import Project
from llmproxy.testing import MemoryProjects, MemoryTokens


class TokenTests(SynchronousTestCase):
    def test_interface(self) -> None:
        verifyObject(ITokenValidator, MemoryTokens())

    def test_uses(self) -> None:
        """A look costs nothing, a use is counted, and a limit holds; what is taken out is revoked."""
        tokens = MemoryTokens({"a": "p", "b": "q"}, {"a": 1})
        for _ in range(3):
            self.assertEqual(self.successResultOf(tokens.validate_token("a")), "p")
        self.assertEqual(self.successResultOf(tokens.validate_token_with_tracking("a")), "p")
        self.failureResultOf(tokens.validate_token_with_tracking("a"), TokenUsedUp)
        for _ in range(3):
            self.successResultOf(tokens.validate_token_with_tracking("b"))
        self.assertEqual(tokens.uses, {"a": 1, "b": 3})
        del tokens.projects["b"]
        self.failureResultOf(tokens.validate_token("b"), TokenNotFound)
        self.failureResultOf(tokens.validate_token_with_tracking("b"), TokenNotFound)
        self.assertEqual(tokens.uses["b"], 3)


class ProjectTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.store = MemoryProjects([Project("2", "b", {"x": ("k",)}), Project("1", "a", is_active=False)])

    def names(self, **wanted: object) -> list[str]:
        return [each.name for each in self.successResultOf(self.store.page(10, **wanted)).items]  # type: ignore[arg-type]

    def test_interface(self) -> None:
        verifyObject(IProjectStore, self.store)

    def test_found(self) -> None:
        """By id, by name, by what is asked for."""
        self.assertEqual(self.successResultOf(self.store.get("2")).name, "b")  # type: ignore[union-attr]
        self.assertIsNone(self.successResultOf(self.store.get("3")))
        self.assertEqual([each.id for each in self.successResultOf(self.store.list())], ["1", "2"])
        self.assertEqual((self.names(is_active=True), self.names(name="A"), self.names(name="c")), (["b"], ["a"], []))

    def test_pages(self) -> None:
        """One after the other, until there are no more."""
        first = self.successResultOf(self.store.page(1))
        second = self.successResultOf(self.store.page(1, first.after))
        self.assertEqual([each.id for each in first.items + second.items], ["1", "2"])
        self.assertIsNone(second.after)
        self.assertRaises(ValueError, self.store.page, 0)
        self.assertRaises(ValueError, self.store.page, 1, "x")

    def test_changes(self) -> None:
        """What is given changes, the rest stays; names are taken once; an earlier version is no match."""
        self.failureResultOf(self.store.create(Project("3", "a")), DuplicateName)
        self.successResultOf(self.store.create(Project("3", "c")))
        self.failureResultOf(self.store.update("3", name="a"), DuplicateName)
        changed = self.successResultOf(self.store.update("2", api_keys={"y": ["l"]}, is_active=False))
        assert changed is not None
        self.assertEqual((changed.api_keys, changed.is_active), ({"x": ("k",), "y": ("l",)}, False))
        changed = self.successResultOf(self.store.update("2", api_keys={"x": None}, version=changed.version))
        assert changed is not None
        self.assertEqual(changed.api_keys, {"y": ("l",)})
        self.assertIsNone(self.successResultOf(self.store.update("2", name="d", version=1)))
        self.assertIsNone(self.successResultOf(self.store.update("9", name="d")))
