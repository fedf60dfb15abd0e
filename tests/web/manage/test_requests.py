"""What the management API accepts, value by value; in requests it is tried in the tests of each resource."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import BadRequest, Unprocessable
from llmproxy.web.manage.requests import (
    MAX_MINUTES,
    NewAdmin,
    NewKey,
    NewProject,
    NewToken,
    Rotation,
    TokenChange,
    check_expiry,
    check_max_requests,
    check_name,
)


def accepts(kind: type, value: Any) -> bool:
    try:
        msgspec.json.decode(msgspec.json.encode(value), type=kind)
    except msgspec.ValidationError:
        return False
    return True


class TypeTests(SynchronousTestCase):
    def test_bounds(self) -> None:
        """The longest and the largest are accepted, one more is not."""
        for kind, member, most, more in (
            (NewProject, "name", "n" * 255, "n" * 256),
            (NewProject, "api_key", "k" * 4096, "k" * 4097),
            (NewToken, "project_id", "i" * 64, "i" * 65),
            (NewToken, "metadata", {str(n): "" for n in range(16)}, {str(n): "" for n in range(17)}),
            (NewToken, "metadata", {"k" * 64: "v" * 256}, {"k" * 64: "v" * 257}),
            (TokenChange, "name", "🦆" * 255, "🦆" * 256),
            (Rotation, "overlap_seconds", 604_800, 604_801),
            (Rotation, "duration_minutes", MAX_MINUTES, MAX_MINUTES + 1),
            (NewKey, "api_key", "k" * 4096, "k" * 4097),
        ):
            self.assertTrue(accepts(kind, {member: most}), (kind, member))
            self.assertFalse(accepts(kind, {member: more}), (kind, member))

    def test_lines(self) -> None:
        """No text holds a control character, at its end neither: it would go into fields, logs and terminals."""
        for kind, member in ((NewProject, "name"), (NewProject, "api_key"), (NewToken, "name"), (NewKey, "api_key")):
            for text in ("a\n", "\na", "a\r\nb", "\0", "\x1b[2J", "\x7f"):
                self.assertFalse(accepts(kind, {member: text}), (kind, member, text))

    def test_admin(self) -> None:
        """An admin's name is one that nobody takes for another, or for more than a name."""
        for name, good in (
            ("a", True),
            ("a.b-c_d@e+f", True),
            ("-a", False),
            ("ä", False),
            ("a/b", False),
            ("", False),
        ):
            self.assertEqual(accepts(NewAdmin, {"name": name, "role": "owner"}), good, name)


class CheckTests(SynchronousTestCase):
    def test_names(self) -> None:
        """A name can be seen."""
        check_name("Ünï 漢字 🦆")
        for name in (" ", "\u200b", "a\u202eb"):
            self.assertRaises(Unprocessable, check_name, name)

    def test_max_requests(self) -> None:
        """A limit is one that every JSON parser keeps exactly."""
        for limit in (None, 0, 2**53 - 1):
            check_max_requests(limit)
        for limit in (-1, 2**53):
            self.assertRaises(BadRequest, check_max_requests, limit)

    def test_expiry(self) -> None:
        """An expiry lies ahead, by a year at most."""
        for seconds in (0.001, MAX_MINUTES * 60.0):
            check_expiry(1000.0 + seconds, 1000.0)
        for seconds in (0.0, -1.0, MAX_MINUTES * 60.0 + 1):
            self.assertRaises(Unprocessable, check_expiry, 1000.0 + seconds, 1000.0)
