"""What an API of JSON can do, told as values."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.web.operations import Call, Operation, RouteTable


async def _respond(call: Call) -> Any:
    return None


class RouteTableTests(SynchronousTestCase):
    def setUp(self) -> None:
        get = {b"GET": Operation(_respond)}
        self.table = RouteTable({"/": get, "/things": get, "/things/{id}": get}, {"/things/{id}/parts/first": get})

    def found(self, path: str) -> Any:
        found = self.table.find(path.split("/")[1:] if path else [])
        return None if found is None else (found.path, found.names)

    def test_find(self) -> None:
        """A path leads to one entry, with the segments that stand for names; what is not there leads nowhere."""
        for path, meant in (
            ("", ("/", {})),
            ("/things", ("/things", {})),
            ("/things/7", ("/things/{id}", {"id": "7"})),
            ("/things/", ("/things/{id}", {"id": ""})),
            ("/things/things", ("/things/{id}", {"id": "things"})),
            ("/things/7/parts/first", ("/things/{id}/parts/first", {"id": "7"})),
            ("/things/7/parts", None),
            ("/things/7/parts/second", None),
            ("/nothing", None),
            ("/", None),
            ("/things/" + "x" * 65, None),
            ("/things/\0", None),
        ):
            self.assertEqual(self.found(path), meant, path)

    def test_twice(self) -> None:
        """Two parts cannot claim one path, nor name one place differently."""
        get = {b"GET": Operation(_respond)}
        self.assertRaises(ValueError, RouteTable, {"/a": get}, {"/a": get})
        self.assertRaises(ValueError, RouteTable, {"/a/{x}": get, "/a/{y}/b": get})
