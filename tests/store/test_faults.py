"""
Faults that proxies of this kind had, each with a test that fails where it comes back.

The numbers are those of the list that the stores were built against; where a whole test case
elsewhere is about one of them, its line here tries the heart of it.
"""

from __future__ import annotations

import os
from typing import Any

from sqlalchemy import text
from sqlalchemy.pool import StaticPool
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.quotas import Settlement
from llmproxy.core.tokens import fault_of, generate, hint, token_hash
from llmproxy.errors import InvalidToken, ProjectInactive, TokenInactive, TokenNotFound, Unavailable
from llmproxy.message import Principal
from llmproxy.store.backend import locate
from llmproxy.store.changeapplier import ChangeApplier
from llmproxy.store.directory import Directory
from llmproxy.store.leases import LeasedQuota
from llmproxy.store.secrets import Cipher, KeyRing, Undecipherable

from .databases import KEY, NOW, clock_at, opened, project, token


class FaultCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = clock_at()
        self.path = self.mktemp()
        self.database = opened(self, self.path, clock=self.clock)
        self.done(self.database.projects.create(project()))
        self.secret = generate(os.urandom)
        self.token = token(token_hash=token_hash(self.secret.encode()), hint=hint(self.secret), max_requests=10)
        self.done(self.database.tokens.create(self.token))
        self.quota = LeasedQuota(self.clock, self.database)
        self.directory = Directory(self.clock, self.database.tokens, self.database.projects, quota=self.quota)

    def done(self, deferred: Deferred[Any]) -> Any:
        return self.successResultOf(deferred)

    def load(self) -> Principal:
        return self.done(self.directory.load(self.secret.encode()))  # type: ignore[no-any-return]

    def stored(self) -> Any:
        return self.done(self.database.tokens.get("t1"))


class TokenFaultTests(FaultCase):
    def test_w47_inactive_project(self) -> None:
        """W47: the tokens of a deactivated project do not go on working."""
        self.directory.project_changed(self.done(self.database.projects.update("p1", is_active=False)))
        principal = self.load()
        self.assertIsInstance(fault_of(principal.token, principal.project, NOW), ProjectInactive)

    def test_w48_changes_bite_at_once(self) -> None:
        """W48: a revocation, a cap and a new upstream key are true from the moment that they are acknowledged."""
        self.load()
        hearing = ChangeApplier(self.directory, self.database.tokens, self.database.projects, self.quota)
        self.done(self.database.tokens.update("t1", max_requests=1))
        self.done(self.database.projects.update("p1", api_keys={"openai": ("new-key",)}))
        self.done(hearing.heard_all([("token", "t1"), ("project", "p1")]))
        principal = self.directory.warm(self.secret.encode())
        assert principal is not None
        self.assertEqual((principal.token.max_requests, principal.project.api_keys["openai"][0]), (1, "new-key"))
        self.done(self.database.tokens.update("t1", is_active=False))
        self.done(hearing.heard("token", "t1"))
        principal = self.directory.warm(self.secret.encode())
        assert principal is not None
        self.assertIsInstance(fault_of(principal.token, principal.project, NOW), TokenInactive)

    def test_w52_w59_secrets_are_nowhere(self) -> None:
        """W52, W59: no secret is in the database, in what is shown of it, or in an error; it is all random."""
        self.failureResultOf(self.directory.load(b"AIza-a-google-key-canary"), InvalidToken)
        with open(self.path + "-wal", "rb") as log, open(self.path, "rb") as file:
            content = log.read() + file.read()
        self.assertNotIn(self.secret.encode(), content)
        self.assertNotIn(b"sk-upstream-canary", content)
        self.assertNotIn(self.secret, repr(self.token))
        self.assertEqual(len(self.token.hint.rstrip("*")), 7)
        self.assertEqual(len({generate(os.urandom)[3:] for _ in range(100)}), 100)

    def test_w53_given_back(self) -> None:
        """W53: a request that never reached upstream costs nothing."""
        principal = self.load()
        self.done(self.quota.spend(principal) or Deferred())
        self.quota.give_back(principal)
        self.done(self.quota.stop())
        self.assertEqual(self.stored().request_count, 0)

    def test_w54_lost_updates(self) -> None:
        """W54: a change of a token does not roll its counters back, and dates its deactivation."""
        self.done(self.database.usage.settle([Settlement("t1", 4, 0, NOW)], "a"))
        changed = self.done(self.database.tokens.update("t1", max_requests=20))
        self.assertEqual((changed.request_count, changed.last_used_at), (4, NOW))
        self.assertEqual(self.done(self.database.tokens.update("t1", is_active=False)).deactivated_at, NOW)

    def test_w55_nothing_is_dropped(self) -> None:
        """W55: a flush that fails loses no use; rows are written in one order; the date is that of the use."""
        principal = self.load()
        self.done(self.quota.spend(principal) or Deferred())
        order: list[str] = []
        real = self.database.usage.settle

        def away(*arguments: Any) -> Deferred[Any]:
            failed: Deferred[Any] = Deferred()
            failed.errback(Unavailable())
            return failed

        self.patch(self.database.usage, "settle", away)
        self.failureResultOf(self.quota.flush(), Unavailable)
        self.patch(self.database.usage, "settle", real)
        self.clock.advance(60)
        self.done(self.quota.flush())
        self.assertEqual((self.stored().request_count, self.stored().last_used_at), (1, NOW))

        def note(conn: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
            if statement.startswith("UPDATE tokens"):
                order.extend(row[-1] for row in parameters)

        from sqlalchemy import event

        event.listen(self.database._engine, "before_cursor_execute", note)
        self.done(real([Settlement(each, 1, 0, NOW) for each in ("c", "a", "t1", "b")], "b"))
        self.assertEqual(order, ["a", "b", "c", "t1"])

    def test_w56_unchanged_is_found(self) -> None:
        """W56: a change to what is so already is no error; on MySQL too, see the contracts."""
        for _ in range(2):
            self.assertEqual(self.done(self.database.tokens.update("t1", max_requests=10)).max_requests, 10)

    def test_w57_time_zones(self) -> None:
        """W57: what time it is where the server or the proxy stands does not shift an expiry."""
        before = os.environ.get("TZ")
        import time

        def restore() -> None:
            os.environ.pop("TZ", None) if before is None else os.environ.__setitem__("TZ", before)
            time.tzset()

        self.addCleanup(restore)
        for zone in ("America/New_York", "Asia/Tokyo", "UTC"):
            os.environ["TZ"] = zone
            time.tzset()
            self.assertEqual(self.stored().expires_at, NOW + 3600, zone)

    def test_w58_unknown_is_unknown(self) -> None:
        """W58: a token that is not there is called that, also where its use was to be counted."""
        self.failureResultOf(self.directory.load(generate(os.urandom).encode()), TokenNotFound)
        grant = self.done(self.database.usage.lease(Settlement("gone", 0, 0, None), 1, 1, "a"))
        self.assertIs(grant.refusal, TokenNotFound)

    def test_w60_encryption(self) -> None:
        """W60: keys have ids and successors, ciphertexts cannot be swapped, and plain text can be refused."""
        sealed = Cipher(KEY).seal("x", "projects/p1/api_key")
        self.assertRaises(Undecipherable, Cipher(KEY).open, sealed, "projects/p2/api_key")
        self.assertEqual(KeyRing.of(bytes(32), [KEY]).open(sealed, "projects/p1/api_key"), "x")
        self.assertRaises(Undecipherable, KeyRing.of(KEY, required=True).open, "x", "projects/p1/api_key")

    def test_w61_what_is_remembered_is_bounded(self) -> None:
        """W61: however many tokens come, a bounded number is kept, the unknown ones too, and those are asked once."""
        directory = Directory(
            self.clock, self.database.tokens, self.database.projects, max_entries=1, max_negative=5, negative_ttl=60
        )
        self.done(directory.load(self.secret.encode()))
        unknown = [generate(os.urandom).encode() for _ in range(20)]
        for each in unknown:
            self.failureResultOf(directory.load(each), TokenNotFound)
        before = self.database.statements
        self.failureResultOf(directory.load(unknown[-1]), TokenNotFound)
        self.assertEqual(self.database.statements, before)
        self.assertLessEqual(len(directory._entries) + len(directory._unknown), 6)


class DatabaseFaultTests(FaultCase):
    def test_w86_upgraded(self) -> None:
        """W86: a file of the first schema is upgraded; see L{tests.integration.test_moving}."""
        from llmproxy.store.migrate import migrate, revision_of
        from llmproxy.store.schema import HEAD

        location = locate(self.mktemp(), 1)
        location.make_file()
        with location.engine().begin() as connection:
            migrate(connection, "0001")
            self.assertEqual(revision_of(connection), "0001")
            migrate(connection)
            self.assertEqual(revision_of(connection), HEAD)

    def test_w87_memory_lasts(self) -> None:
        """W87: what is in memory is there for as long as the process: its connection is never replaced."""
        database = opened(self, clock=self.clock)
        self.done(database.projects.create(project()))
        self.assertIsInstance(database._engine.pool, StaticPool)
        for _ in range(3):
            self.clock.advance(86_400)
            self.assertEqual(len(self.done(database.projects.list())), 1)

    def test_w88_nobody_is_left_locked_out(self) -> None:
        """W88: a migration that failed holds no lock; ten at once are in L{tests.integration.test_processes}."""
        from llmproxy.store.migrate import migrate

        location = locate(self.mktemp(), 1)
        location.make_file()
        writing = location.engine().execution_options(llmproxy_writes=True)
        with self.assertRaises(ZeroDivisionError), writing.begin() as connection:
            migrate(connection)
            raise ZeroDivisionError
        with writing.begin() as connection:
            migrate(connection)

    def test_w90_pages(self) -> None:
        """W90: lists have pages, and a page is no list that was cut."""
        for number in range(5):
            self.done(self.database.tokens.create(token(f"more{number}")))
        before = self.database.statements
        page = self.done(self.database.tokens.page(2))
        self.assertEqual((len(page.items), page.after is None), (2, False))
        self.assertLessEqual(self.database.statements - before, 2)

    def test_w91_paths_and_sizes(self) -> None:
        """W91: a path is no SQL, numbers are as large as they may be, and the database itself refuses nonsense."""
        from llmproxy.store.backup import copy_sqlite

        target = os.path.join(os.path.dirname(self.path) or ".", "it's; DROP TABLE tokens --.db")
        with open(target, "w"):
            pass
        copy_sqlite(self.path, target, lambda done, total: None)
        self.assertIsNotNone(self.stored())
        self.assertEqual(self.done(self.database.tokens.update("t1", max_requests=2**53 - 1)).max_requests, 2**53 - 1)
        nonsense = text("UPDATE tokens SET max_requests = -1")
        failure = self.failureResultOf(self.database.run(lambda connection: connection.execute(nonsense)))
        self.assertIn("ck_tokens_max_requests", str(failure.value))

    def test_w92_few_writes(self) -> None:
        """W92: a limited token is not a transaction a request."""
        self.done(self.database.tokens.update("t1", max_requests=100_000))
        principal = self.load()
        transactions = 0
        real = self.database.run

        def count(call: Any) -> Any:
            nonlocal transactions
            transactions += 1
            return real(call)

        self.patch(self.database, "run", count)
        for _ in range(1000):
            spending = self.quota.spend(principal)
            if spending is not None:
                self.done(spending)
        self.assertLessEqual(transactions, 10)
