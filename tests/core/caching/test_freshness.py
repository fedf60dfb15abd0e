"""RFC 9111 section 4.2: lifetimes and ages as tables."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.apisettings import CacheSettings
from llmproxy.core.caching.control import LONGEST, CacheControl, parse
from llmproxy.core.caching.dates import format_date
from llmproxy.core.caching.freshness import age_value, explicit_lifetime, initial_age, said_by, supposed_lifetime
from llmproxy.message import Field

NOW = 1_700_000_000.0
DATE = (b"Date", format_date(NOW))


def expires(seconds: float) -> Field:
    return b"Expires", format_date(NOW + seconds)


LIFETIMES: list[tuple[bytes, list[Field], float | None]] = [
    (b"", [], None),
    (b"max-age=60", [], 60),
    (b"max-age=60, s-maxage=10", [], 10),
    (b"s-maxage=0, max-age=60", [], 0),
    (b"max-age=60", [expires(10)], 60),
    (b"", [expires(10)], 10),
    (b"", [expires(-10)], 0),
    (b"", [(b"Expires", b"0")], 0),
    (b"", [expires(10), expires(20)], 0),
    (b"", [expires(10), expires(10)], 10),
    (b"max-age=1, max-age=2", [], 0),
    (b"max-age=x", [expires(10)], 0),
    (b"max-age=9999999999999", [], LONGEST),
]

AGES: list[tuple[list[Field], float, float, float]] = [
    ([DATE], NOW, NOW, 0),
    ([DATE], NOW, NOW + 3, 3),
    ([(b"Date", format_date(NOW - 100))], NOW, NOW, 100),
    ([(b"Date", format_date(NOW + 100))], NOW, NOW, 0),
    ([DATE, (b"Age", b"50")], NOW, NOW, 50),
    ([DATE, (b"Age", b"50")], NOW, NOW + 2, 52),
    ([DATE, (b"Age", b"x")], NOW, NOW, 0),
    ([DATE, (b"Age", b"-5")], NOW, NOW, 0),
    ([DATE, (b"Age", b"7, 9")], NOW, NOW, 7),
    ([DATE, (b"Age", b"7"), (b"Age", b"9")], NOW, NOW, 7),
    ([], NOW, NOW + 1, 1),
    ([(b"Date", b"yesterday")], NOW, NOW, 0),
]


class FreshnessTests(SynchronousTestCase):
    def test_explicit_lifetime(self) -> None:
        """The first source that says something counts; what contradicts itself is stale."""
        for control, fields, expected in LIFETIMES:
            got = explicit_lifetime(parse([control]), said_by([DATE, *fields]), NOW, targeted=False)
            self.assertEqual(got, expected, (control, fields))

    def test_targeted_field_silences_expires(self) -> None:
        """RFC 9213 section 2.2."""
        self.assertIsNone(explicit_lifetime(CacheControl(), said_by([DATE, expires(10)]), NOW, targeted=True))

    def test_initial_age(self) -> None:
        """Section 4.2.3: neither a slow network nor a cache on the way makes an answer younger."""
        for fields, requested, responded, expected in AGES:
            self.assertEqual(initial_age(said_by(fields), requested, responded), expected, fields)

    def test_huge_age_is_bounded(self) -> None:
        """Section 1.2.2."""
        self.assertEqual(age_value(said_by([(b"age", b"9" * 30)])), LONGEST)

    def test_heuristic(self) -> None:
        """A tenth of the time since the last change, and never longer than configured."""
        settings = CacheSettings(heuristic=0.1, heuristic_max=500)
        fields = said_by([DATE, (b"Last-Modified", format_date(NOW - 1000))])
        self.assertEqual(supposed_lifetime(200, CacheControl(), fields, NOW, settings), 100)
        older = said_by([DATE, (b"Last-Modified", format_date(NOW - 100_000))])
        self.assertEqual(supposed_lifetime(200, CacheControl(), older, NOW, settings), 500)
        self.assertIsNone(supposed_lifetime(302, CacheControl(), fields, NOW, settings))
        self.assertEqual(supposed_lifetime(302, CacheControl(public=True), fields, NOW, settings), 100)
        self.assertIsNone(supposed_lifetime(200, CacheControl(), said_by([DATE]), NOW, settings))
        self.assertIsNone(supposed_lifetime(200, CacheControl(), fields, NOW, CacheSettings(heuristic=0)))

    def test_default_lifetime(self) -> None:
        """What the operator sets counts where upstream names none."""
        self.assertEqual(
            supposed_lifetime(200, CacheControl(), said_by([DATE]), NOW, CacheSettings(default_ttl=30)), 30
        )
