"""The tree below C{/manage}."""

from __future__ import annotations

from twisted.web.resource import IResource
from zope.interface.verify import verifyObject

from .api import ManageTestCase


class TreeTests(ManageTestCase):
    def test_resource(self) -> None:
        verifyObject(IResource, self.resource())

    def test_missing(self) -> None:
        """What is not there is 404 in JSON, for those who may ask."""
        for path in ("", "/", "/nowhere", "/projects/x/y", "/tokens/x/y", "/%ff"):
            self.refused(self.ask("GET", path), 404, "not found")
