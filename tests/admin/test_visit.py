"""A request as views have it."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin.backend import Who
from llmproxy.admin.formats import Formats
from llmproxy.admin.reader import Reader
from llmproxy.admin.visit import Form, Visit


def a_visit(api: Any = None, **changes: Any) -> Visit:
    values: dict[str, Any] = {
        "method": "GET",
        "path": "/things",
        "names": {},
        "query": {},
        "form": Form(),
        "who": Who("ada", "owner", frozenset()),
        "reader": Reader(),
        "forms": Formats(Reader(), 0.0),
        "now": 0.0,
    }
    return Visit(api=api, **{**values, **changes})


class VisitTests(SynchronousTestCase):
    def test_links(self) -> None:
        """Filters live in the address: one is changed, the others stay."""
        visit = a_visit(query={"search": "a b", "state": "active", "after": "x"})
        self.assertEqual(visit.link(after=""), "/things?search=a+b&state=active")
        self.assertEqual(visit.link(after=None, state=None, size=5), "/things?search=a+b&size=5")
        self.assertEqual(a_visit().link(), "/things")

    def test_form(self) -> None:
        """Texts are without the spaces of pasting; secrets are not shown."""
        form = Form({"name": [" a "], "tick": ["on"], "off": ["0"], "many": ["x", "", "y"], "csrf": ["secret"]})
        self.assertEqual((form.text("name"), form.text("none")), ("a", ""))
        self.assertEqual([form.flag(each) for each in ("tick", "off", "none")], [True, False, False])
        self.assertEqual(form.all("many"), ["x", "y"])
        self.assertNotIn("csrf", form.shown())
        self.assertNotIn("secret", repr(form))
