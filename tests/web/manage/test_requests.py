"""What the management API accepts, value by value; in requests it is tried in the tests of each resource."""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.management.checks import MAX_MINUTES
from llmproxy.web.manage.requests import (
    NewAdmin,
    NewKey,
    NewProject,
    NewToken,
    Rotation,
    TokenChange,
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
