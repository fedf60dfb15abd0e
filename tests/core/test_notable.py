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
    Known,
    Notable,
    measured_at,
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


class Keeper:
    """@ivar room: bytes that may be kept."""

    def __init__(self, room: int = 1 << 20) -> None:
        self.room = room

    def keep(self) -> None:
        """Nothing is kept here."""

    def drop(self) -> None:
        """Nor dropped."""

    def has_room(self, size: int) -> bool:
        self.room -= size
        return self.room >= 0


class KnownTests(SynchronousTestCase):
    FIELDS: list[Field] = [(b"A", b"b"), (b"content-Length", b"3"), (b"C", b"d")]

    def test_section(self) -> None:
        """Each section is a list of its own, with its own length in the place of the first one's."""
        notable = Notable(self.FIELDS)
        known = Known(self.FIELDS, 1, notable, Keeper())
        one, two = known.section(b"4"), known.section(b"55")
        self.assertEqual(one, [(b"A", b"b"), (b"content-Length", b"4"), (b"C", b"d")])
        self.assertEqual((two[1], two.length), ((b"content-Length", b"55"), b"55"))
        self.assertIs(one.notable, notable)
        self.assertIs(one.known, known)
        self.assertEqual(self.FIELDS[1][1], b"3")

    def test_unmeasured(self) -> None:
        """Without such a length all of it is the same each time."""
        known = Known(self.FIELDS, -1, None, Keeper())
        self.assertEqual(known.section(b""), self.FIELDS)
        self.assertFalse(known.is_measured)

    def test_derived(self) -> None:
        """What a layer makes of it has the same length; if that is not there any more, nothing is remembered."""
        known = Known(self.FIELDS, 1, None, Keeper())
        for number, made in enumerate([self.FIELDS[1:], [(b"X", b"y")], [self.FIELDS[1]] * 2]):
            known.derive(number, made)
        self.assertEqual([*known.facts], [0])
        self.assertEqual(known.facts[0].section(b"9"), [(b"content-Length", b"9"), (b"C", b"d")])
        unmeasured = Known([(b"A", b"b")], -1, None, Keeper())
        unmeasured.derive(0, [(b"X", b"y")])
        self.assertEqual(unmeasured.facts[0].section(b""), [(b"X", b"y")])

    def test_room(self) -> None:
        """Without room nothing is remembered."""
        known = Known(self.FIELDS, 1, None, Keeper(3000))
        for number in range(20):
            known.remember(number, b"", 1000)
        self.assertEqual(len(known.facts), 2)

    def test_measured_at(self) -> None:
        for fields, at in ((self.FIELDS, 1), ([], -1), ([self.FIELDS[1]] * 2, -1), ([(b"content_length", b"1")], -1)):
            self.assertEqual(measured_at(fields), at, fields)

    def test_copies_are_plain(self) -> None:
        """Nothing is known of what is made of a section in any way."""
        section = Known(self.FIELDS, 1, None, Keeper()).section(b"4")
        for made in ([*section], section[:], section[1:], section.copy(), list(section)):
            self.assertIs(type(made), list)
