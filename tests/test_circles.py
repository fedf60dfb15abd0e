"""Import circles: none in the package, types included."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from .test_layers import ROOT, imports, modules


def graph() -> dict[str, set[str]]:
    """What each module imports of the package, wherever it does: below C{TYPE_CHECKING}, in a function."""
    # The public names of the package are made when they are asked for; its version is a constant of it.
    constants = {"llmproxy.__version__"}
    names = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path, _ in modules()
    }
    edges: dict[str, set[str]] = {}
    for name, path in names.items():
        found = edges[name] = set()
        for imported in {name for _, name in imports(path)} - constants:
            while imported and imported not in names:
                imported = imported.rpartition(".")[0]
            if imported and imported != name:
                found.add(imported)
    return edges


def circles(edges: dict[str, set[str]]) -> set[frozenset[str]]:
    """The largest sets of modules that all reach each other, of two or more."""
    reached = {name: _reachable(name, edges) for name in edges}
    return {
        frozenset(other for other in reached[name] if name in reached[other]) for name in edges if name in reached[name]
    }


def _reachable(name: str, edges: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(edges[name])
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting += edges[other]
    return found


class CircleTests(SynchronousTestCase):
    def test_found(self) -> None:
        """A circle is seen, over however many modules; what only leads to one is no part of it."""
        edges = {"a": {"b"}, "b": {"c"}, "c": {"d", "b"}, "d": {"b"}, "e": set[str]()}
        self.assertEqual(circles(edges), {frozenset("bcd")})

    def test_types_count(self) -> None:
        """What is imported for its types only is an arrow like others."""
        self.assertIn("llmproxy.net.poller", graph()["llmproxy.cache.backends"])

    def test_none(self) -> None:
        """No module imports itself by way of others: each can be read, and taken away, without what stands on it."""
        self.assertEqual([sorted(circle) for circle in circles(graph())], [])
