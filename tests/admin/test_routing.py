"""Which page an address is."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.admin import pages
from llmproxy.admin.routing import RouteMap
from llmproxy.admin.visit import Route
from llmproxy.core.roles import PERMISSIONS


async def view(visit: Any) -> Any:
    raise NotImplementedError


class RoutingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.routes = RouteMap(
            Route(method, path, view)
            for method, path in (
                ("GET", "/"),
                ("GET", "/things"),
                ("POST", "/things"),
                ("GET", "/things/new"),
                ("GET", "/things/{thing_id}"),
                ("POST", "/things/{thing_id}/end"),
            )
        )

    def test_found(self) -> None:
        """A path of names finds its page, whatever a name holds; a fixed one comes first."""
        for path, methods, names in (
            ("/", {"GET"}, {}),
            ("/things", {"GET", "POST"}, {}),
            ("/things/new", {"GET"}, {}),
            ("/things/a%2Fb", {"GET"}, {"thing_id": "a/b"}),
            ("/things/x/end", {"POST"}, {"thing_id": "x"}),
            ("/things/", set(), {}),
            ("/things/x/y", set(), {}),
            ("/nothing", set(), {}),
        ):
            match = self.routes.find(path)
            self.assertEqual((set(match.routes), dict(match.names)), (methods, names), path)

    def test_twice(self) -> None:
        """Two pages at one address are a mistake."""
        self.assertRaises(ValueError, RouteMap, [Route("GET", "/a/{b}", view), Route("GET", "/a/{b}", view)])


class PagesTests(SynchronousTestCase):
    def test_all(self) -> None:
        """Each page says what it needs by a permission that there is, and each line of the navigation leads to one."""
        found = pages.routes()
        routes = RouteMap(found)
        for route in found:
            self.assertTrue(not route.needs or route.needs in PERMISSIONS, route)
            self.assertIn(route.method, ("GET", "POST"), route)
        for entry in pages.navigation():
            self.assertEqual(routes.find(entry.path).routes["GET"].needs, entry.needs, entry)
