"""Tests for L{llmproxy.providers.documents}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.providers.documents import Documents, shapes_of, tells_any, tells_usage
from llmproxy.providers.registry import USAGE_SHAPES


class DocumentsTests(SynchronousTestCase):
    def test_found(self) -> None:
        """Members of shapes are gathered by their paths, everything else is passed over."""
        for text, found in (
            (b'{"a":{"usage":1},"model":"m","usage":{"x":[1]}}', {"model": "m", "usage": {"x": [1]}}),
            (b'{"message":{"model":"m","usage":{},"a":1}}', {"message.model": "m", "message.usage": {}}),
            (b'[{"model":"m"},{"usage":1}]', {"model": "m", "usage": 1}),
            (b'[[{"model":"m"}],{"message":[{"model":"m"}]}]', {}),
            (b'{"usage":null,"message":null,"model":""}', {"model": ""}),
            (b"null", {}),
        ):
            documents = Documents()
            self.assertTrue(documents.add(text), text)
            self.assertEqual(documents.found, found, text)
            self.assertEqual(documents.is_named, "m" in found.values(), text)

    def test_no_json(self) -> None:
        """What is no document says so, and leaves what was found."""
        documents = Documents()
        documents.add(b'{"model":"m"}')
        for text in (b"", b"{", b'{"model":"n"', b"{}{}", b"[" * 100_000, b'{"model":"\xff"}', b'{"usage":\xff}'):
            self.assertFalse(documents.add(text), text[:20])
            self.assertEqual(documents.found, {"model": "m"}, text[:20])

    def test_several(self) -> None:
        """Objects are merged, the last of each member counts, and null is nothing."""
        documents = Documents()
        for text in (b'{"usage":{"a":1,"b":1},"id":"1"}', b'{"usage":{"b":2,"c":null},"id":null}', b'{"usage":null}'):
            documents.add(text)
        self.assertEqual(documents.found, {"usage": {"a": 1, "b": 2}, "id": "1"})

    def test_scan(self) -> None:
        """A scan finds the same in pieces."""
        documents = Documents()
        scan = documents.scan()
        for piece in (b'{"model":"m","usa', b'ge":{"a":1}}{"usage":{"b":nul', b'l}}{"usage":\xff}'):
            scan.feed(piece)
        self.assertEqual(documents.found, {"model": "m", "usage": {"a": 1, "b": None}} | {"usage": {"a": 1}})


class ShapesTests(SynchronousTestCase):
    def test_shapes(self) -> None:
        """Those that a member of has been found, in their order."""
        self.assertEqual(shapes_of({}), ())
        self.assertEqual(shapes_of({"model": "m", "id": "1"}), ())
        for _ in range(2):
            found = shapes_of({"usage": {}, "model": "m"})
            self.assertEqual(found, tuple(shape for shape in USAGE_SHAPES if "usage" in shape.members))

    def test_told(self) -> None:
        """A document that may tell a usage is known by the name of a member, unless that is null or within a text."""
        for text, told in (
            (b'{"usage":{}}', True),
            (b'{"usage" : null,"usageMetadata":{}}', True),
            (b'{"usage" : null}', False),
            (b'{"text":"\\"usage\\":1"}', False),
            (b'{"usages":1,"ausage":1}', False),
        ):
            self.assertEqual(tells_any(text) is not None, told, text)

    def test_usage(self) -> None:
        """Nearly all streams tell it by one name, that need not be looked for as carefully."""
        for text, found in (
            (b'{"usage":{}}', True),
            (b'{"usage":null,"x":{"usage": null}}', False),
            (b'{"usage":null,"usageMetadata":{}}', True),
            (b'{"usage": null}{"usage": {}}', True),
            (b'{"us":1}', False),
            (b"", False),
        ):
            self.assertEqual(tells_usage(text), found, text)
