"""The tree below C{/manage}."""

from __future__ import annotations

from twisted.web.resource import IResource
from zope.interface.verify import verifyObject

from llmproxy.web.operations import Call, Operation

from .api import ManageTestCase


class TreeTests(ManageTestCase):
    def test_resource(self) -> None:
        verifyObject(IResource, self.resource())

    def test_missing(self) -> None:
        """What is not there is 404 in JSON, for those who may ask."""
        for path in ("", "/", "/nowhere", "/projects/x/y", "/tokens/x/y", "/%ff"):
            self.refused(self.ask("GET", path), 404, "not found")

    def test_no_permission_named(self) -> None:
        """An operation that does not say what it takes is not served: nothing is open by being forgotten."""

        async def respond(call: Call) -> None:
            return None

        for needs in ("", "project.raed"):
            more = ({"/x": {b"GET": Operation(respond, needs=needs)}},)
            self.assertRaises(ValueError, self.resource, more=more)

    def test_more(self) -> None:
        """What other parts can do is guarded, found and noted like the rest."""

        async def respond(call: Call) -> dict[str, str]:
            return dict(call.path)

        routes = {"/x/{y}": {b"GET": Operation(respond, needs="audit.read", action="x.show")}}
        self.treq = self.client(self.resource(more=(routes,)))
        self.assertEqual(self.ask("GET", "/x/1").json, {"y": "1"})
        self.assertEqual(self.ask("GET", "/x/1", headers={"Authorization": ""}).status, 401)
        self.assertEqual(self.notes.events[0][:3], ("x.show", "management_api", "success"))
