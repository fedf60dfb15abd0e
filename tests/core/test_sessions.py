"""Sessions of the admin pages: how long they are good, and for whom."""

from __future__ import annotations

from hashlib import sha256

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.sessions import (
    IDLE,
    KEPT_IDLE,
    KEPT_LONGEST,
    LONGEST,
    MANAGEMENT_TOKEN,
    ends_at,
    generate,
    is_bound,
    is_over,
    is_well_formed,
    new_session,
    role_of,
    secret_hash,
)
from llmproxy.message import Admin, Session

NOW = 1_700_000_000.0
DIGEST = sha256(b"the management token").digest()
ADMIN = Admin("a1", "ada", "0" * 64, "hint", "auditor", NOW)


def random(size: int) -> bytes:
    return bytes(range(size))


def made(kept: bool = False, admin: Admin | None = None, **more: str) -> tuple[Session, str]:
    return new_session(random, NOW, kept=kept, admin=admin, management_digest=DIGEST, **more)


class SecretTests(SynchronousTestCase):
    def test_form(self) -> None:
        """A secret is known by its beginning, and has 256 bits."""
        secret = generate(random)
        self.assertTrue(is_well_formed(secret))
        for wrong in ("", secret[:-1], secret + "A", secret[:-1] + "=", "llmproxy_admin_" + secret[17:]):
            self.assertFalse(is_well_formed(wrong), wrong)

    def test_hidden(self) -> None:
        """Only hashes are kept, and not even those are shown."""
        session, secret = made()
        self.assertEqual(session.secret_hash, sha256(secret.encode()).hexdigest())
        self.assertEqual(session.secret_hash, secret_hash(secret))
        for hidden in (secret, session.secret_hash, session.binding):
            self.assertNotIn(hidden, repr(session))

    def test_bound(self) -> None:
        """With another management token its holder has to sign in anew."""
        session, secret = made()
        self.assertTrue(is_bound(session, secret, DIGEST))
        self.assertFalse(is_bound(session, secret, sha256(b"another").digest()))
        self.assertFalse(is_bound(session, generate(lambda size: b"x" * size), DIGEST))
        self.assertFalse(is_bound(made(admin=ADMIN)[0], secret, DIGEST))


class EndTests(SynchronousTestCase):
    def test_limits(self) -> None:
        """It ends when nothing is asked for a while, and at last in any case; later for who wants to stay."""
        for kept, idle, longest in ((False, IDLE, LONGEST), (True, KEPT_IDLE, KEPT_LONGEST)):
            session, _ = made(kept)
            self.assertEqual((ends_at(session), session.expires_at), (NOW + idle, NOW + longest), kept)
            used = evolve(session, seen_at=NOW + longest - 1)
            self.assertEqual(ends_at(used), NOW + longest, kept)
            self.assertFalse(is_over(used, None, NOW + longest - 1), kept)
            self.assertTrue(is_over(used, None, NOW + longest), kept)
            self.assertTrue(is_over(session, None, NOW + idle), kept)

    def test_admin(self) -> None:
        """It ends with its admin: when they expire, are revoked, or are gone."""
        brief = evolve(ADMIN, expires_at=NOW + 60)
        session, _ = made(admin=brief)
        self.assertEqual((session.admin_id, session.expires_at), ("a1", NOW + 60))
        session, _ = made(admin=ADMIN)
        self.assertFalse(is_over(session, ADMIN, NOW))
        for gone in (None, evolve(ADMIN, revoked_at=NOW), evolve(ADMIN, expires_at=NOW)):
            self.assertTrue(is_over(session, gone, NOW), gone)

    def test_who(self) -> None:
        """The holder of the management token is an owner; an admin is what they are."""
        self.assertEqual((made()[0].admin_id, role_of(None), role_of(ADMIN)), (MANAGEMENT_TOKEN, "owner", "auditor"))

    def test_bounded(self) -> None:
        """What a browser says of itself is cut, and holds nothing that a terminal would act on."""
        session, _ = made(agent="\x1b[31m" + "x" * 500, client="9" * 100)
        self.assertEqual((len(session.agent), len(session.client)), (200, 64))
        self.assertTrue(session.agent.startswith("?[31m"))
