"""What each store of admins, of sessions and of idempotent calls does, whatever the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from llmproxy.errors import DuplicateAdmin
from llmproxy.interfaces import IAdminStore, IIdempotencyStore, ISessionStore
from llmproxy.message import Admin, IdempotentCall, Session
from llmproxy.store.database import Database
from llmproxy.store.idempotency import PRUNE_EVERY
from llmproxy.store.sessions import MOST

from ..store.databases import NOW, clock_at


def admin(admin_id: str = "a1", **changes: Any) -> Admin:
    values: dict[str, Any] = {
        "name": f"admin {admin_id}",
        "token_hash": admin_id.encode().hex().rjust(64, "0"),
        "hint": "llmproxy_admin_abcd***",
        "role": "operator",
        "created_at": NOW,
    }
    return Admin(admin_id, **(values | changes))


class StoreContract:
    """Mixed into a test case that says how to C{open} a database."""

    database: Database
    clock: Clock

    def open(self) -> Database:
        raise NotImplementedError

    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = self.open()

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)  # type: ignore[attr-defined]


class AdminStoreContract(StoreContract):
    def test_interface(self) -> None:
        verifyObject(IAdminStore, self.database.admins)

    def test_round_trip(self) -> None:
        """What was stored is what is found, by id and by hash."""
        stored = admin(expires_at=NOW + 0.000001)
        self.done(self.database.admins.create(stored))
        assert self.done(self.database.admins.get("a1")) == stored
        assert self.done(self.database.admins.by_hash(stored.token_hash)) == stored
        assert self.done(self.database.admins.list()) == [stored]

    def test_unknown(self) -> None:
        """What is not there is None."""
        admins = self.database.admins
        for asked in (admins.get("x"), admins.by_hash("0" * 64), admins.revoke("x"), admins.used("x")):
            assert self.done(asked) is None

    def test_names(self) -> None:
        """A name belongs to one at a time, letter for letter; whoever is revoked leaves it to the next."""
        admins = self.database.admins
        self.done(admins.create(admin("a1", name="ops")))
        self.failureResultOf(admins.create(admin("a2", name="ops")), DuplicateAdmin)  # type: ignore[attr-defined]
        self.done(admins.create(admin("a3", name="Ops")))
        self.done(admins.revoke("a1"))
        self.done(admins.create(admin("a4", name="ops")))
        assert sorted(each.id for each in self.done(admins.list())) == ["a1", "a3", "a4"]

    def test_revoked_once(self) -> None:
        """Revoking twice keeps the first date."""
        self.done(self.database.admins.create(admin()))
        for _ in range(2):
            assert self.done(self.database.admins.revoke("a1")).revoked_at == NOW
            self.clock.advance(1)

    def test_used(self) -> None:
        """When somebody was there last is known."""
        self.done(self.database.admins.create(admin()))
        self.clock.advance(5)
        self.done(self.database.admins.used("a1"))
        assert self.done(self.database.admins.get("a1")).last_used_at == NOW + 5


def session(session_id: str = "s1", **changes: Any) -> Session:
    values: dict[str, Any] = {
        "secret_hash": session_id.encode().hex().rjust(64, "0"),
        "admin_id": "a1",
        "binding": "",
        "kept": False,
        "created_at": NOW,
        "seen_at": NOW,
        "expires_at": NOW + 60,
        "client": "203.0.113.7",
        "agent": "Mozilla/5.0 \u05d0",
    }
    return Session(session_id, **(values | changes))


class SessionStoreContract(StoreContract):
    def create(self, *sessions: Session) -> None:
        for each in sessions:
            self.done(self.database.sessions.create(each))

    def listed(self, admin_id: str | None = None) -> list[str]:
        return [each.id for each, _ in self.done(self.database.sessions.list(admin_id))]

    def test_interface(self) -> None:
        verifyObject(ISessionStore, self.database.sessions)

    def test_found(self) -> None:
        """A session is found by the hash of its secret, with the admin that it is of, if there is one."""
        self.done(self.database.admins.create(admin("a1")))
        mine, root = session(), session("s2", admin_id="management_token", binding="b" * 64, kept=True)
        self.create(mine, root)
        sessions = self.database.sessions
        assert self.done(sessions.by_hash(mine.secret_hash)) == (mine, admin("a1"))
        assert self.done(sessions.by_hash(root.secret_hash)) == (root, None)
        assert self.done(sessions.get("s2")) == (root, None)
        assert self.done(sessions.by_hash("0" * 64)) is None
        assert self.done(sessions.get("x")) is None

    def test_listed(self) -> None:
        """The last one to sign in stands first; of one admin where that is asked."""
        self.create(*(session(f"s{at}", admin_id=f"a{at % 2}", created_at=NOW + at) for at in range(4)))
        assert self.listed() == ["s3", "s2", "s1", "s0"]
        assert self.listed("a1") == ["s3", "s1"]

    def test_used(self) -> None:
        """When something was asked with it last is known."""
        self.create(session())
        self.clock.advance(5)
        self.done(self.database.sessions.used("s1"))
        assert self.done(self.database.sessions.get("s1"))[0].seen_at == NOW + 5

    def test_ended(self) -> None:
        """One ends, those of an admin but one, or all."""
        self.create(*(session(f"s{at}", admin_id=f"a{at % 2}") for at in range(6)))
        sessions = self.database.sessions
        assert self.done(sessions.end("s0")) is True
        assert self.done(sessions.end("s0")) is False
        assert self.done(sessions.end_all("a1", keep="s3")) == 2
        assert sorted(self.listed()) == ["s2", "s3", "s4"]
        assert self.done(sessions.end_all()) == 3
        assert self.listed() == []

    def test_bounded(self) -> None:
        """What has ended goes with the next sign-in, and of one admin the oldest beyond a hundred."""
        self.create(session("old"))
        self.clock.advance(60)
        until = NOW + 600
        self.create(session("other", admin_id="a2", expires_at=until))
        self.create(*(session(f"n{at}", created_at=NOW + at, expires_at=until) for at in range(MOST + 2)))
        found = self.listed()
        assert len(found) == MOST + 1
        assert {"old", "n0", "n1"} & set(found) == set()
        assert {"other", "n2"} <= set(found)


class IdempotencyStoreContract(StoreContract):
    def begin(self, key: str = "k", fingerprint: str = "f", actor: str = "a") -> Any:
        return self.done(self.database.idempotency.begin(actor, key, fingerprint, 60.0))

    def test_interface(self) -> None:
        verifyObject(IIdempotencyStore, self.database.idempotency)

    def test_once(self) -> None:
        """The first call is new; the second learns of it, before and after it was answered."""
        assert self.begin() is None
        assert self.begin(fingerprint="g") == IdempotentCall("f", NOW)
        self.done(self.database.idempotency.finish("a", "k", 201, "x" * 100_000))
        assert self.begin() == IdempotentCall("f", NOW, 201, "x" * 100_000)

    def test_own(self) -> None:
        """A key is one actor's, and different from one of other letters."""
        assert self.begin() is None
        assert self.begin(actor="b") is None
        assert self.begin(key="K") is None

    def test_forgotten(self) -> None:
        """A call that did nothing can be made again."""
        assert self.begin() is None
        self.done(self.database.idempotency.forget("a", "k"))
        assert self.begin() is None

    def test_over(self) -> None:
        """After its time a key is as good as new."""
        assert self.begin() is None
        self.clock.advance(59.5)
        assert self.begin() is not None
        self.clock.advance(0.5)
        assert self.begin() is None
        assert self.begin() is not None

    def test_removed(self) -> None:
        """What is over does not stay."""
        self.begin("old")
        self.clock.advance(60)
        for number in range(PRUNE_EVERY):
            self.begin(f"k{number}")
        count = self.database.read(
            lambda connection: connection.scalar(text("SELECT COUNT(*) FROM idempotency_keys WHERE key_hash = 'old'"))
        )
        assert self.done(count) == 0
