"""Tests for L{llmproxy.management.importing}."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.masking import Masking
from llmproxy.core.tokens import token_hash
from llmproxy.management.importing import (
    HASHED_HINT,
    Unfit,
    audit_record_of,
    has_metadata,
    id_of,
    name_of,
    project_of,
    token_of,
)

from ..goschema import PLAIN
from ..tables import row

NOW = 1_767_322_000.0
SECOND = 1_767_323_045
"""2026-01-02 03:04:05 UTC."""

AT = "2026-01-02 03:04:05"
DIGEST = "ab" * 32


def a_project(**changes: Any) -> Any:
    return project_of({"id": "p1", "name": "one", "api_key": "sk-1", "created_at": AT} | changes, lambda text: text)


def a_token(**changes: Any) -> Any:
    return token_of({"id": "t1", "token": DIGEST, "project_id": "p1", "created_at": AT} | changes, NOW)


def a_record(**changes: Any) -> Any:
    values = {"id": "a1", "timestamp": AT, "action": "token.create", "actor": "admin", "outcome": "success"}
    return audit_record_of(values | changes, Masking())


class RowTests(SynchronousTestCase):
    def refused(self, call: Any, **changes: Any) -> str:
        with row(changes):
            return str(self.assertRaises(Unfit, call, **changes))

    def test_moments(self) -> None:
        """A moment is the same however a driver gives it, to the microsecond; without an offset it is UTC."""
        aware = datetime(2026, 1, 2, 4, 4, 5, 678901, timezone(timedelta(hours=1)))
        for value, fraction in (
            (AT, 0),
            (f"{AT}Z", 0),
            ("2026-01-02T03:04:05Z", 0),
            ("2026-01-02 03:04:05.6789019+00:00", 678901),
            ("2026-01-02 04:04:05.678901+01:00", 678901),
            ("2026-01-02 03:04:05.678901234 +0000 UTC m=+0.012345", 678901),
            ("2026-01-02 04:04:05.5 +0100 CET", 500000),
            (aware, 678901),
            (aware.astimezone(timezone.utc).replace(tzinfo=None), 678901),
            (SECOND, 0),
            (SECOND * 1000 + 250, 250000),
        ):
            with row(value):
                moment = a_project(created_at=value)[0].created_at
                self.assertEqual(round(moment * 1_000_000), SECOND * 1_000_000 + fraction)
        for value in (
            "yesterday",
            "0001-01-01 00:00:00+00:00",
            None,
            "",
            2**70,
            1.5,
            b"x",
            "2026-13-01 00:00:00",
            True,
        ):
            self.assertIn("created_at: expected a time", self.refused(a_project, created_at=value))

    def test_projects(self) -> None:
        """A project is taken with its key; the column's first name is known too."""
        project, key = a_project(is_active=0, deactivated_at=AT, updated_at=AT)
        self.assertEqual((project.id, project.name, key, dict(project.api_keys)), ("p1", "one", "sk-1", {}))
        self.assertEqual((project.is_active, project.deactivated_at), (False, SECOND))
        old = {"id": "p1", "name": "n", "openai_api_key": "sk-2", "created_at": AT}
        self.assertEqual(project_of(old, str.upper)[1], "SK-2")
        self.assertEqual(a_project(api_key="")[1], "")
        for changes, words in (
            ({"name": " "}, "invalid name"),
            ({"name": "n" * 256}, "at most 255 characters"),
            ({"name": "a\u202eb"}, "invalid name"),
            ({"api_key": "sk-a...b"}, "obfuscated"),
            ({"api_key": "two words"}, "visible ASCII"),
            ({"api_key": "k" * 4097}, "at most 4096"),
            ({"id": ""}, "id: "),
            ({"id": "a/b"}, "id: "),
            ({"id": "i" * 65}, "id: "),
            ({"id": b"x"}, "id: expected text"),
            ({"is_active": "maybe"}, "is_active: "),
        ):
            self.assertIn(words, self.refused(a_project, **changes))
        self.assertNotIn("canary", self.refused(a_project, api_key="canary secret"))

    def test_tokens(self) -> None:
        """A hash is taken as it is, a secret becomes its hash; limits and counts are kept."""
        self.assertEqual((a_token().token_hash, a_token().hint), (DIGEST, HASHED_HINT))
        plain = a_token(token=PLAIN, id=UUID(int=7), max_requests=9, request_count=8, cache_hit_count=2)
        self.assertEqual((plain.token_hash, plain.hint[:7]), (token_hash(PLAIN.encode()), "sk-AAAA"))
        self.assertNotIn(PLAIN, repr(plain))
        self.assertEqual(plain.id, str(UUID(int=7)))
        self.assertEqual((plain.max_requests, plain.request_count, plain.cache_hit_count), (9, 8, 2))
        for value in (0, None):
            with row(value):
                self.assertIsNone(a_token(max_requests=value).max_requests)
        self.assertIsNone(a_token().expires_at)
        self.assertEqual(a_token(expires_at=AT).expires_at, SECOND)
        for changes, words in (
            ({"token": "sk-short"}, "token: expected its SHA-256"),
            ({"token": DIGEST.upper()}, "token: expected its SHA-256"),
            ({"token": "hash:v1:canary"}, "token: expected its SHA-256"),
            ({"max_requests": -1}, "max_requests must be >= 0"),
            ({"max_requests": 2**53}, "max_requests: expected"),
            ({"request_count": -1}, "request_count: expected"),
            ({"request_count": "7"}, "request_count: expected a whole number"),
            ({"cache_hit_count": 1.5}, "cache_hit_count: expected a whole number"),
            ({"expires_at": "2030-01-01"}, "expires_at exceeds maximum allowed"),
            ({"expires_at": "never"}, "expires_at: expected a time"),
        ):
            self.assertIn(words, self.refused(a_token, **changes))
        self.assertNotIn("canary", self.refused(a_token, token="sk-canary"))

    def test_without_id(self) -> None:
        """A token of the first schemas gets an id that is always the same."""
        first = {"token": PLAIN, "project_id": "p1", "created_at": AT}
        found = token_of(first, NOW)
        self.assertEqual(found.id, id_of(token_hash(PLAIN.encode())))
        self.assertEqual(token_of({**first, "token": found.token_hash}, NOW).id, found.id)
        self.assertNotIn(found.id.replace("-", ""), found.token_hash)
        self.assertEqual((name_of(first, 3), name_of({"id": "a\x1bb"}, 3)), ("row 3", "a\\x1bb"))

    def test_metadata(self) -> None:
        """Notes of a token are kept where the management API would take them."""
        self.assertEqual(a_token(metadata='{"team":"a","n":1}').metadata, '{"team":"a","n":"1"}')
        for value, has in (
            ("", False),
            ("{}", False),
            (None, False),
            ("[1]", True),
            ('{"a":"' + "x" * 257 + '"}', True),
        ):
            with row(value):
                self.assertIsNone(a_token(metadata=value).metadata)
                self.assertEqual(has_metadata({"metadata": value}), has)

    def test_audit(self) -> None:
        """A record keeps its id and time and says that it was imported; what is a secret is masked."""
        found = a_record(metadata='{"http_method": "GET", "n": 1, "reason": "r"}', client_ip="192.0.2.1", path=None)
        self.assertEqual((found.id, found.timestamp, found.method), ("a1", SECOND * 1_000_000, "GET"))
        self.assertEqual((found.client_ip, found.reason), ("192.0.2.1", "r"))
        self.assertEqual(found.details, {"n": 1, "imported": True})
        self.assertEqual(a_record(metadata="{").details["unreadable"], "{")
        for depth in (100, 900, 100_000):
            deep = '{"a":' * depth + "1" + "}" * depth
            with row(depth):
                self.assertIn("unreadable", a_record(metadata=deep).details)
                self.assertIsNone(a_token(metadata=deep).metadata)
        self.assertNotIn("canary", repr(a_record(metadata='{"api_key": "canary"}', path="/x?key=canary")))
        self.assertEqual(a_record(action="audit.list").action, "audit.list")
        for changes, words in (
            ({"outcome": "maybe"}, "outcome: expected one of"),
            ({"action": ""}, "action: is empty"),
            ({"action": "audit.cut"}, "says of itself"),
            ({"action": "audit.open"}, "says of itself"),
            ({"timestamp": None}, "timestamp: expected a time"),
        ):
            self.assertIn(words, self.refused(a_record, **changes))
