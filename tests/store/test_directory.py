"""Who a token belongs to, from memory."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from llmproxy.errors import (
    InvalidToken,
    ProjectInactive,
    ProxyError,
    RateLimitExceeded,
    TokenExpired,
    TokenInactive,
    TokenNotFound,
    Unavailable,
)
from llmproxy.interfaces import IDirectory, IProjectActiveChecker, IRevocations, ITokenValidator
from llmproxy.message import Token
from llmproxy.store.directory import Directory
from llmproxy.store.leases import LeasedQuota

from ..tables import row
from .databases import clock_at, opened, project, token


def secret(number: int) -> bytes:
    return b"sk-" + str(number).rjust(22, "s").encode()


class HeldTokens:
    """A token store whose answers to C{by_hash} the test lets go one by one; each was read when it was asked."""

    def __init__(self, tokens: Any) -> None:
        self._tokens = tokens
        self.held: list[tuple[Deferred[Any], Any]] = []

    def by_hash(self, token_hash: str) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        self.held.append((answer, self._tokens.by_hash(token_hash)))
        return answer

    def release(self) -> None:
        answer, result = self.held.pop(0)
        result.chainDeferred(answer)


class DirectoryCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = opened(self, clock=self.clock)
        self.successResultOf(self.database.projects.create(project()))
        self.tokens = HeldTokens(self.database.tokens)
        self.directory = self.made()

    def made(self, tokens: Any = None, **options: Any) -> Directory:
        return Directory(self.clock, tokens or self.database.tokens, self.database.projects, **options)

    def issue(self, number: int, **changes: Any) -> Token:
        made = token(f"t{number}", token_hash=sha256(secret(number)).hexdigest(), **changes)
        self.successResultOf(self.database.tokens.create(made))
        return made

    def load(self, number: int) -> Any:
        return self.successResultOf(self.directory.load(secret(number)))


class LookupTests(DirectoryCase):
    def test_interfaces(self) -> None:
        for interface in (IDirectory, IRevocations, ITokenValidator, IProjectActiveChecker):
            verifyObject(interface, self.directory)

    def test_warm(self) -> None:
        """The second request of a token asks the database nothing."""
        made = self.issue(1)
        self.assertIsNone(self.directory.warm(secret(1)))
        principal = self.load(1)
        self.assertEqual((principal.token, principal.project), (made, project()))
        before = self.database.statements
        self.assertIs(self.directory.warm(secret(1)), principal)
        self.assertEqual(self.database.statements, before)

    def test_no_secret_in_memory(self) -> None:
        """What a dump of the directory shows opens nothing."""
        self.issue(1)
        self.load(1)
        self.failureResultOf(self.directory.load(secret(2)), TokenNotFound)
        shown = repr(vars(self.directory))
        self.assertNotIn(secret(1).decode(), shown)
        self.assertNotIn(secret(2).decode(), shown)
        self.assertNotIn("upstream-canary", shown)

    def test_malformed(self) -> None:
        """What cannot be a token is not looked up."""
        before = self.database.statements
        self.failureResultOf(self.directory.load(b"nonsense"), InvalidToken)
        self.assertEqual(self.database.statements, before)

    def test_unknown_is_remembered(self) -> None:
        """Guessing the same token again and again costs the database one look, until a moment has passed."""
        self.failureResultOf(self.directory.load(secret(1)), TokenNotFound)
        before = self.database.statements
        self.failureResultOf(self.directory.load(secret(1)), TokenNotFound)
        self.assertEqual(self.database.statements, before)
        self.issue(1)
        self.clock.advance(2.0)
        self.load(1)

    def test_created_after_asked_for(self) -> None:
        """A token works at once after it was created, though somebody has just tried it in vain."""
        self.failureResultOf(self.directory.load(secret(1)), TokenNotFound)
        self.directory.token_changed(self.issue(1))
        self.load(1)

    def test_bounds(self) -> None:
        """Neither known nor unknown tokens fill the memory; the one that was not used longest makes room."""
        self.directory = self.made(max_entries=3, max_negative=3)
        for number in range(1, 5):
            self.issue(number)
        for number in (1, 2, 3):
            self.load(number)
        self.directory.warm(secret(1))
        self.load(4)
        self.assertEqual([self.directory.warm(secret(n)) is not None for n in (1, 2, 3, 4)], [True, False, True, True])
        for number in range(10, 20):
            self.failureResultOf(self.directory.load(secret(number)), TokenNotFound)
        self.assertEqual(len(self.directory._unknown), 3)

    def test_expires(self) -> None:
        """What another process changed is noticed when the entry has become old."""
        self.issue(1)
        self.load(1)
        self.successResultOf(self.database.tokens.update("t1", is_active=False))
        self.clock.advance(300.5)
        self.assertIsNone(self.directory.warm(secret(1)))
        self.assertFalse(self.load(1).token.is_active)

    def test_no_database(self) -> None:
        """While the database is away known tokens work, and others are told that it is not their fault."""
        self.issue(1)
        self.load(1)
        self.successResultOf(self.database.close())
        self.assertIsNotNone(self.directory.warm(secret(1)))
        self.failureResultOf(self.directory.load(secret(2)), Unavailable)


class OutageTests(DirectoryCase):
    """A store that goes away and comes back."""

    def setUp(self) -> None:
        super().setUp()
        self.away = False
        self.asked = 0
        self.directory = self.made(self, ttl=300.0, grace=900.0)
        self.issue(1)
        self.load(1)

    def by_hash(self, token_hash: str) -> Deferred[Any]:
        self.asked += 1
        return fail(Unavailable()) if self.away else self.database.tokens.by_hash(token_hash)

    def test_warm_tokens_work_on(self) -> None:
        """A token that was warm works through an outage, for a time that is stated; then it is refused."""
        self.away = True
        self.clock.advance(301)
        self.assertIsNone(self.directory.warm(secret(1)))
        self.assertEqual(self.load(1).token.id, "t1")
        self.clock.advance(898)
        self.assertEqual(self.load(1).token.id, "t1")
        self.clock.advance(2)
        self.failureResultOf(self.directory.load(secret(1)), Unavailable)

    def test_revoked_elsewhere(self) -> None:
        """What another proxy revokes meanwhile works until the store can be asked, or as long as it may without it."""
        for back in (True, False):
            with row(back):
                self.away = True
                self.clock.advance(301)
                self.successResultOf(self.database.tokens.update("t1", is_active=False))
                self.assertTrue(self.load(1).token.is_active)
                self.clock.advance(5.1 if back else 900)
                self.away = not back
                if back:
                    self.assertFalse(self.load(1).token.is_active)
                    self.successResultOf(self.database.tokens.update("t1", is_active=True))
                    self.directory.forget()
                    self.load(1)
                else:
                    self.failureResultOf(self.directory.load(secret(1)), Unavailable)

    def test_asked_now_and_then(self) -> None:
        """During an outage not every request waits for the store."""
        self.away = True
        self.clock.advance(301)
        self.load(1)
        self.assertIsNotNone(self.directory.warm(secret(1)))
        self.clock.advance(5.1)
        self.assertIsNone(self.directory.warm(secret(1)))
        self.away = False
        self.load(1)
        self.clock.advance(299)
        self.assertIsNotNone(self.directory.warm(secret(1)))
        self.assertEqual(self.asked, 3)

    def test_revoked_is_revoked(self) -> None:
        """A token that is known to be revoked does not come back to life, nor one that is gone."""
        revoked = self.successResultOf(self.database.tokens.update("t1", is_active=False))
        self.directory.token_changed(revoked)
        self.away = True
        self.clock.advance(301)
        self.assertFalse(self.load(1).token.is_active)
        self.directory.forget()
        self.failureResultOf(self.directory.load(secret(1)), Unavailable)

    def test_watched(self) -> None:
        """Whose exchanges are running can be asked, to look whether they may go on."""
        principal = self.load(1)
        self.assertEqual(self.directory.watched(), (set(), set()))
        end = self.directory.watch(principal, lambda: None)
        self.assertEqual(self.directory.watched(), ({"t1"}, {"p1"}))
        end()
        self.assertEqual(self.directory.watched(), (set(), set()))


class CoalescingTests(DirectoryCase):
    def setUp(self) -> None:
        super().setUp()
        self.directory = self.made(self.tokens)

    def test_one_look_for_all(self) -> None:
        """A hundred requests of a token that nobody knows yet cost one look; who leaves harms nobody."""
        self.issue(1)
        loads = [self.directory.load(secret(1)) for _ in range(100)]
        loads[0].cancel()
        self.failureResultOf(loads[0])
        self.assertEqual(len(self.tokens.held), 1)
        self.tokens.release()
        self.assertEqual(len({id(self.successResultOf(each)) for each in loads[1:]}), 1)

    def test_changed_under_a_load(self) -> None:
        """A token revoked while it is being looked up is not let in with what was read before."""
        self.issue(1)
        loading = self.directory.load(secret(1))
        revoked = self.successResultOf(self.database.tokens.update("t1", is_active=False))
        self.directory.token_changed(revoked)
        self.tokens.release()
        self.assertNoResult(loading)
        self.tokens.release()
        self.assertFalse(self.successResultOf(loading).token.is_active)
        self.assertEqual(self.directory._loading, {})

    def test_created_under_a_load(self) -> None:
        """A token created while it is being looked up in vain is found."""
        loading = self.directory.load(secret(1))
        self.directory.token_changed(self.issue(1))
        self.tokens.release()
        self.tokens.release()
        self.successResultOf(loading)

    def test_changes_without_end(self) -> None:
        """A load ends though something changes all the time; what may be old is not kept."""
        self.issue(1)
        loading = self.directory.load(secret(1))
        while self.tokens.held:
            self.directory.forget()
            self.tokens.release()
        self.successResultOf(loading)
        self.assertIsNone(self.directory.warm(secret(1)))


class ChangeTests(DirectoryCase):
    def setUp(self) -> None:
        super().setUp()
        self.issue(1)
        self.issue(2)
        self.principal = self.load(1)
        self.load(2)
        self.cut: list[str] = []

    def watch(self, number: int) -> Any:
        principal = self.directory.warm(secret(number))
        assert principal is not None
        return self.directory.watch(principal, lambda: self.cut.append(f"t{number}"))

    def test_token(self) -> None:
        """A revoked token is refused at once, and its running streams are told; nobody else's."""
        self.watch(1)
        self.watch(2)
        self.directory.token_changed(evolve(self.principal.token, is_active=False))
        warm = self.directory.warm(secret(1))
        assert warm is not None
        self.assertFalse(warm.token.is_active)
        self.assertEqual(self.cut, ["t1"])

    def test_harmless_change(self) -> None:
        """A new limit is there at once and cuts nothing."""
        self.watch(1)
        self.directory.token_changed(evolve(self.principal.token, max_requests=3))
        warm = self.directory.warm(secret(1))
        assert warm is not None
        self.assertEqual((warm.token.max_requests, self.cut), (3, []))

    def test_project(self) -> None:
        """A new upstream key is used at once; deactivation cuts the streams of all tokens."""
        self.watch(1)
        self.watch(2)
        self.directory.project_changed(project(api_key="new"))
        warm = self.directory.warm(secret(2))
        assert warm is not None
        self.assertEqual((warm.project.api_keys["openai"][0], self.cut), ("new", []))
        self.directory.project_changed(project(is_active=False))
        self.assertEqual(sorted(self.cut), ["t1", "t2"])

    def test_loss(self) -> None:
        """What is remembered of requests is to be forgotten when somebody may do less, or has another key; else not."""
        lost: list[None] = []
        self.directory.on_loss = lambda: lost.append(None)
        token, version = self.principal.token, self.principal.project.version
        for change, times in (
            (lambda: self.directory.token_changed(evolve(token, max_requests=3)), 0),
            (lambda: self.directory.project_changed(project(name="other", version=version)), 0),
            (lambda: self.directory.project_changed(project(api_key="new")), 2),
            (lambda: self.directory.project_changed(project(api_key="new", is_active=False)), 4),
            (lambda: self.directory.project_changed(project(api_key="new")), 4),
            (lambda: self.directory.token_changed(evolve(token, is_active=False)), 5),
            (lambda: self.directory.project_tokens_revoked("p1"), 6),
            (lambda: self.directory.forget(), 7),
        ):
            change()
            self.assertEqual(len(lost), times, times)

    def test_loss_that_is_found(self) -> None:
        """So it is when another process has changed it, and this one finds out by asking again."""
        lost: list[None] = []
        self.directory.on_loss = lambda: lost.append(None)
        self.clock.advance(301)
        self.load(1)
        self.assertEqual(lost, [])
        self.successResultOf(self.database.tokens.update("t1", is_active=False))
        self.clock.advance(301)
        self.load(1)
        self.assertEqual(lost, [None])

    def test_all_tokens(self) -> None:
        """All tokens of a project revoked in one go."""
        self.watch(1)
        self.directory.project_tokens_revoked("p1")
        for number in (1, 2):
            warm = self.directory.warm(secret(number))
            assert warm is not None
            self.assertFalse(warm.token.is_active, number)
        self.assertEqual(self.cut, ["t1"])

    def test_person(self) -> None:
        """All that is a person's ends with them, whatever its project, and nothing else."""
        for number, person in ((3, "o1"), (4, "o2")):
            self.issue(number, person_id=person)
            self.load(number)
        for number in (1, 3, 4):
            self.watch(number)
        self.directory.person_revoked("o1")
        self.assertEqual(self.cut, ["t3"])
        for number, is_active in ((1, True), (3, False), (4, True)):
            warm = self.directory.warm(secret(number))
            assert warm is not None
            self.assertEqual(warm.token.is_active, is_active, number)

    def test_pending(self) -> None:
        """Who is revoked is found in a table, with the key that stands there; whoever is not, or is gone, is not."""
        principals = {number: self.directory.warm(secret(number)) for number in (1, 2)}
        pending: dict[Any, Any] = dict(principals)

        def revoked(key: int, error: ProxyError) -> None:
            self.cut.append(f"t{key}: {error.code}")
            del pending[key]

        self.directory.look_through(pending, revoked)
        self.assertEqual(self.directory.watched()[0], {each.token.id for each in principals.values() if each})
        self.directory.token_changed(evolve(self.principal.token, max_requests=3))
        self.assertEqual(self.cut, [])
        self.directory.token_changed(evolve(self.principal.token, is_active=False))
        self.assertEqual(self.cut, ["t1: token_inactive"])
        self.directory.project_changed(project(is_active=False))
        self.assertEqual(self.cut, ["t1: token_inactive", "t2: project_inactive"])
        pending[1] = self.principal
        del pending[1]
        self.directory.project_tokens_revoked("p1")
        self.assertEqual(len(self.cut), 2)
        pending[1] = self.principal
        self.directory.project_tokens_revoked("p1")
        self.assertEqual(self.cut[2:], ["t1: token_inactive"])

    def test_told_once(self) -> None:
        """A stream is told once, and not after it has ended."""
        forget = self.watch(1)
        self.watch(2)
        forget()
        for _ in range(2):
            self.directory.project_changed(project(is_active=False))
        self.assertEqual(self.cut, ["t2"])
        self.assertEqual(self.directory._watches, set())

    def test_revoked_before_watched(self) -> None:
        """A token revoked between its check and the first byte of the answer is cut all the same."""
        self.directory.token_changed(evolve(self.principal.token, is_active=False))
        self.directory.watch(self.principal, lambda: self.cut.append("late"))
        self.assertEqual(self.cut, ["late"])


class ValidatorTests(DirectoryCase):
    def valid(self, number: int) -> Any:
        return self.directory.validate_token(secret(number).decode())

    def test_faults(self) -> None:
        """What is wrong with a token is told as its own error, cold and warm."""
        self.issue(1, is_active=False)
        self.issue(2, expires_at=1.0)
        self.issue(3)
        for _ in range(2):
            self.failureResultOf(self.valid(1), TokenInactive)
            self.failureResultOf(self.valid(2), TokenExpired)
            self.assertEqual(self.successResultOf(self.valid(3)), "p1")
        self.directory.project_changed(project(is_active=False))
        self.failureResultOf(self.valid(3), ProjectInactive)

    def test_tracking(self) -> None:
        """Validation with tracking spends."""
        quota = LeasedQuota(self.clock, self.database)
        self.directory = self.made(quota=quota)
        self.issue(1, max_requests=1)
        validate = self.directory.validate_token_with_tracking
        self.assertEqual(self.successResultOf(validate(secret(1).decode())), "p1")
        self.failureResultOf(validate(secret(1).decode()), RateLimitExceeded)

    def test_project_active(self) -> None:
        """A project is active, or not, or unknown; warm or not."""
        check = self.directory.is_project_active
        self.assertTrue(self.successResultOf(check("p1")))
        self.assertFalse(self.successResultOf(check("x")))
        self.issue(1)
        self.load(1)
        self.directory.project_changed(project(is_active=False))
        self.assertFalse(self.successResultOf(check("p1")))


class BrokenTests(SynchronousTestCase):
    def test_broken_store(self) -> None:
        """A fault in the store is not shown to the client."""

        class Broken:
            def by_hash(self, token_hash: str) -> Any:
                return succeed(None).addCallback(lambda _: 1 // 0)

        directory = Directory(clock_at(), Broken(), None)  # type: ignore[arg-type]
        self.failureResultOf(directory.load(secret(1)), Unavailable)


class OrderTests(DirectoryCase):
    def test_late(self) -> None:
        """What is heard of a change after one that was made later changes nothing back."""
        self.issue(1)
        self.load(1)
        update = self.database.tokens.update
        first, second = (self.successResultOf(update("t1", max_requests=limit)) for limit in (5, 7))
        self.directory.token_changed(second)
        self.directory.token_changed(first)
        # Not load(), which asks the database where what is remembered is not to be relied on.
        self.assertEqual(self.directory.warm(secret(1)).token.max_requests, 7)  # type: ignore[union-attr]
        rename = self.database.projects.update
        first, second = (self.successResultOf(rename("p1", name=name)) for name in ("first", "second"))
        self.directory.project_changed(second)
        self.directory.project_changed(first)
        self.assertEqual(self.directory.warm(secret(1)).project.name, "second")  # type: ignore[union-attr]


class RotationTests(DirectoryCase):
    def rotate(self, number: int, to: int, until: float | None) -> None:
        rotated = self.successResultOf(
            self.database.tokens.rotate(
                f"t{number}", token_hash=sha256(secret(to)).hexdigest(), hint="h", previous_until=until
            )
        )
        self.directory.token_changed(rotated)

    def usable(self, number: int) -> Any:
        """C{None}, or the fault that the holder of a secret is told."""
        result: list[Any] = []
        self.directory.validate_token(secret(number).decode()).addCallbacks(
            lambda _: result.append(None), lambda reason: result.append(type(reason.value))
        )
        return result[0]

    def test_overlap(self) -> None:
        """Both secrets work until the overlap ends, whether they were warm or not; then the new one alone."""
        for warm in (True, False):
            number = 10 if warm else 20
            self.issue(number, expires_at=None)
            if warm:
                self.load(number)
            self.rotate(number, number + 1, self.clock.seconds() + 60)
            self.assertEqual((self.usable(number), self.usable(number + 1)), (None, None), warm)
            self.clock.advance(60)
            self.assertEqual((self.usable(number), self.usable(number + 1)), (TokenExpired, None), warm)

    def test_at_once(self) -> None:
        """Without an overlap the old secret opens nothing from that moment on, and its streams are cut."""
        self.issue(1)
        cut: list[str] = []
        self.directory.watch(self.load(1), lambda: cut.append("old"))
        self.rotate(1, 2, None)
        self.assertEqual((cut, self.usable(1), self.usable(2)), (["old"], TokenInactive, None))

    def test_looked_up_before(self) -> None:
        """A request that knew the old secret just before it ended is cut when its stream begins."""
        self.issue(1)
        principal = self.load(1)
        self.rotate(1, 2, None)
        cut: list[str] = []
        self.directory.watch(principal, lambda: cut.append("old"))
        self.assertEqual(cut, ["old"])

    def test_streams_go_on(self) -> None:
        """In an overlap, streams of both secrets run; a second rotation cuts those of the first."""
        self.issue(1)
        cut: list[str] = []
        self.directory.watch(self.load(1), lambda: cut.append("first"))
        self.rotate(1, 2, self.clock.seconds() + 60)
        self.directory.watch(self.load(1), lambda: cut.append("first, later"))
        self.directory.watch(self.load(2), lambda: cut.append("second"))
        self.assertEqual(cut, [])
        self.rotate(1, 3, self.clock.seconds() + 60)
        self.assertEqual(sorted(cut), ["first", "first, later"])
        self.assertEqual([self.usable(number) for number in (1, 2, 3)], [TokenInactive, None, None])

    def test_revoked(self) -> None:
        """A token that is revoked in its overlap is so under both secrets."""
        self.issue(1)
        self.load(1)
        self.rotate(1, 2, self.clock.seconds() + 60)
        self.load(2)
        self.directory.token_changed(self.successResultOf(self.database.tokens.update("t1", is_active=False)))
        self.assertEqual((self.usable(1), self.usable(2)), (TokenInactive, TokenInactive))

    def test_remembered_as_unknown(self) -> None:
        """A secret that somebody tried before it was issued works when it is."""
        self.issue(1)
        self.failureResultOf(self.directory.load(secret(2)), TokenNotFound)
        self.rotate(1, 2, None)
        self.assertIsNone(self.usable(2))
