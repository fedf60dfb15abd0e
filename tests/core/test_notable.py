"""Tests for L{llmproxy.core.notable}."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.notable import (
    CHANGES,
    DECISIVE,
    KEY_FIELDS,
    NAMING,
    OFFER,
    OVERRIDES,
    Notable,
    notable_of,
    section_of,
)
from llmproxy.message import Field

NAMES = [*KEY_FIELDS, OFFER, *DECISIVE, *NAMING, *OVERRIDES, b"accept", b"x-other"]
SECTIONS = st.lists(
    st.tuples(st.sampled_from([*NAMES, *(name.title() for name in NAMES)]), st.sampled_from([b"", b"a", b"b"])),
    max_size=8,
)


def told(notable: Notable) -> tuple[object, ...]:
    return notable.credentials, notable.decisive, notable.naming, notable.override


DUNDERS = {"__delitem__", "__iadd__", "__imul__", "__setitem__"}


class NotableTests(SynchronousTestCase):
    def test_table(self) -> None:
        """Each field is found under what it is for, in wire order and in any case; others are not."""
        fields: list[Field] = [
            (b"HOST", b"h"),
            (b"Accept", b"*/*"),
            (b"X-Api-Key", b"1"),
            (b"user-AGENT", b"u"),
            (b"X_HTTP_Method-Override", b"PUT"),
            (b"authorization", b"2"),
            (b"Sec-WebSocket-Protocol", b"3"),
            (b"Host", b"i"),
            (b"x-method-override", b"GET"),
        ]
        self.assertEqual(
            told(Notable(fields)),
            (
                [(b"x-api-key", fields[2]), (b"authorization", fields[5]), (OFFER, fields[6])],
                [(b"host", b"h"), (b"host", b"i")],
                [(b"user-agent", b"u")],
                b"X_HTTP_Method-Override",
            ),
        )

    @given(SECTIONS)
    def test_once(self, fields: list[Field]) -> None:
        """A section that was looked through tells the same as one that is looked through now."""
        section = section_of(fields)
        self.assertEqual(section, fields)
        self.assertIs(notable_of(section), section.notable)
        self.assertEqual(told(notable_of(section)), told(notable_of(tuple(fields))))

    def test_changed(self) -> None:
        """One that is changed in place is looked through anew."""
        added: Field = (b"Api-Key", b"new")
        changes: dict[str, Callable[[list[Field]], object]] = {
            "append": lambda fields: fields.append(added),
            "extend": lambda fields: fields.extend([added]),
            "insert": lambda fields: fields.insert(0, added),
            "pop": lambda fields: fields.pop(),
            "remove": lambda fields: fields.remove(fields[0]),
            "clear": lambda fields: fields.clear(),
            "reverse": lambda fields: fields.reverse(),
            "sort": lambda fields: fields.sort(key=lambda field: field[1], reverse=True),
            "__setitem__": lambda fields: fields.__setitem__(0, added),
            "__delitem__": lambda fields: fields.__delitem__(0),
            "__iadd__": lambda fields: fields.__iadd__([added]),
            "__imul__": lambda fields: fields.__imul__(2),
        }
        self.assertEqual(changes.keys(), CHANGES)
        for name, change in changes.items():
            section = section_of([(b"Authorization", b"a"), (b"Accept", b"*/*"), (b"x-api-key", b"b")])
            before = told(notable_of(section))
            change(section)
            self.assertEqual(told(notable_of(section)), told(Notable([*section])), name)
            self.assertNotEqual(told(notable_of(section)), before, name)

    def test_all_changes(self) -> None:
        """A list has no method that changes it and is not known here."""
        harmless = {"copy", "count", "index"}
        self.assertEqual({name for name in dir(list) if not name.startswith("_")} - harmless, CHANGES - DUNDERS)
