"""What every L{llmproxy.interfaces.ITokenStore} does, whatever the database."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import evolve
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from llmproxy.errors import PreconditionFailed
from llmproxy.interfaces import ITokenStore
from llmproxy.store import tokens
from llmproxy.store.database import Database
from llmproxy.store.paging import position
from llmproxy.usagelimits import UNSET, UsageLimits

from ..store.databases import NOW, clock_at, project, token


class TokenStoreContract:
    """Mixed into a test case that says how to C{open} a database."""

    database: Database
    clock: Clock

    def open(self) -> Database:
        raise NotImplementedError

    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = self.open()
        self.tokens = self.database.tokens
        for name in ("p1", "p2"):
            self.done(self.database.projects.create(project(name)))

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)  # type: ignore[attr-defined]

    def test_interface(self) -> None:
        verifyObject(ITokenStore, self.tokens)

    def test_round_trip(self) -> None:
        """What was stored is what is found, to the microsecond, by id and by hash."""
        stored = token(expires_at=NOW + 0.000001, max_requests=2**40, last_used_at=None)
        self.done(self.tokens.create(stored))
        assert self.done(self.tokens.get("t1")) == stored
        assert self.done(self.tokens.by_hash(stored.token_hash)) == stored

    def test_stated_limits(self) -> None:
        """Limits are kept with their three states, changed one by one, and set back by when that was."""
        stated = UsageLimits(rpm_limit=60, tpm_limit=None, max_budget=Decimal("0.000001"), models=("gpt-4o*", "ü"))
        self.done(self.tokens.create(token(limits=stated)))
        assert self.done(self.tokens.get("t1")).limits == stated
        assert self.done(self.tokens.list())[0].limits == stated
        changed = self.done(self.tokens.update("t1", limits={"rpm_limit": UNSET, "apis": ("openai",)}))
        assert changed.limits == evolve(stated, rpm_limit=UNSET, apis=("openai",))
        assert changed.version == 2
        reset = self.done(self.tokens.update("t1", budget_reset_at=NOW + 0.000001))
        assert (reset.budget_reset_at, reset.limits) == (NOW + 0.000001, changed.limits)
        with_failure = self.tokens.update("t1", limits={"rpm_limit": 1}, version=1)
        self.failureResultOf(with_failure, PreconditionFailed)  # type: ignore[attr-defined]
        assert self.done(self.tokens.get("t1")).limits == changed.limits

    def test_by_hashes(self) -> None:
        """Several are found at once, each as by itself: by its secret, by the one before, and not at all."""
        for number in range(3):
            self.done(self.tokens.create(token(f"t{number}", token_hash=f"{number}" * 64)))
        self.done(self.tokens.rotate("t0", token_hash="a" * 64, hint="h", previous_until=NOW + 60))
        hashes = [each * 64 for each in ("0", "1", "a", "f")]
        found = self.done(self.tokens.by_hashes(hashes))
        assert found == {each * 64: self.done(self.tokens.by_hash(each * 64)) for each in ("0", "1", "a")}, found
        assert found["0" * 64].expires_at == NOW + 60
        assert self.done(self.tokens.by_hashes([])) == {}

    def test_unknown(self) -> None:
        """What is not there is None, also to an update."""
        assert self.done(self.tokens.get("x")) is None
        assert self.done(self.tokens.by_hash("0" * 64)) is None
        assert self.done(self.tokens.update("x", is_active=False)) is None

    def test_newest_first(self) -> None:
        """A list starts with what was made last, and can be one project's."""
        for name, age, owner in (("a", 2, "p1"), ("b", 0, "p1"), ("c", 1, "p2")):
            self.done(self.tokens.create(token(name, owner, created_at=NOW - age)))
        assert [each.id for each in self.done(self.tokens.list())] == ["b", "c", "a"]
        assert [each.id for each in self.done(self.tokens.list("p1"))] == ["b", "a"]

    def pages(self, limit: int, **filters: Any) -> list[list[str]]:
        """The ids of all pages."""
        found: list[list[str]] = []
        after = None
        while True:
            page = self.done(self.tokens.page(limit, after, **filters))
            found.append([each.id for each in page.items])
            after = page.after
            if after is None:
                return found

    def test_several(self) -> None:
        """Several are found at once; those that are not there are left out."""
        for name in ("s1", "s2", "s3"):
            self.done(self.tokens.create(token(name)))
        assert {each.id for each in self.done(self.tokens.some(["s1", "s3", "x"]))} == {"s1", "s3"}
        assert self.done(self.tokens.some([])) == []

    def test_bounded_search(self) -> None:
        """Where a database is slow a page looks at so many names; page after page all are found, each once."""
        for number in range(30):
            made = token(f"t{number:02}", created_at=NOW + number // 4, name=f"name {number % 5}")
            self.done(self.tokens.create(made))
        found: dict[bool, list[str]] = {}
        for slow in (True, False):
            self.patch(tokens, "MOST_SEARCHED", 4)  # type: ignore[attr-defined]
            self.patch(tokens, "SLOW", {"sqlite", "postgresql", "mysql"} if slow else set())  # type: ignore[attr-defined]
            for name in ("NAME 3", "nothing"):
                after = None
                while True:
                    page = self.done(self.tokens.page(2, after, name=name))
                    found.setdefault(slow, []).extend(each.id for each in page.items)
                    after = page.after
                    if after is None:
                        break
        assert found[True] == found[False]
        assert len(found[True]) == 6

    def test_pages(self) -> None:
        """Pages make the list, newest first, each token once, also where many were made in the same moment."""
        for number in range(7):
            self.done(self.tokens.create(token(f"t{number}", created_at=NOW - number // 3)))
        assert self.pages(3) == [["t2", "t1", "t0"], ["t5", "t4", "t3"], ["t6"]]
        assert self.pages(7) == [["t2", "t1", "t0", "t5", "t4", "t3", "t6"]]
        assert self.pages(1)[-2:] == [["t3"], ["t6"]]

    def test_filtered_pages(self) -> None:
        """Of one project, active or revoked; none at all is one empty page."""
        for number in range(6):
            self.done(self.tokens.create(token(f"t{number}", f"p{1 + number % 2}", is_active=number > 2)))
        assert self.pages(2, project_id="p1") == [["t4", "t2"], ["t0"]]
        assert self.pages(2, is_active=True) == [["t5", "t4"], ["t3"]]
        assert self.pages(9, is_active=False, project_id="p2") == [["t1"]]
        assert self.pages(9, project_id="nobody") == [[]]

    def test_a_page_goes_on_when_rows_come(self) -> None:
        """A token that is made while somebody pages moves no other one."""
        for number in range(4):
            self.done(self.tokens.create(token(f"t{number}", created_at=NOW - number)))
        page = self.done(self.tokens.page(2))
        self.done(self.tokens.create(token("new", created_at=NOW + 1)))
        rest = self.done(self.tokens.page(2, page.after))
        assert ([each.id for each in rest.items], rest.after) == (["t2", "t3"], None)

    def test_bad_page(self) -> None:
        """What was never handed out is an error, not a guess; nothing of it reaches the database."""
        before = self.database.statements
        bad = ("", "x", "é", "bm8", "WzEsMl0", "WyIxIiwiMiJd", "W1tbW1tb", "WzEsIlx1ZDgwMCJd", "W" * 9000)
        for after in (*bad, position(2**63, "x"), position(1, "\0"), position(True, "x"), position(1)):
            try:
                self.tokens.page(1, after)
            except ValueError as error:
                assert str(error) == "after: expected what the page before gave"
            else:
                raise AssertionError(after)
        for limit in (0, -1):
            try:
                self.tokens.page(limit)
            except ValueError:
                continue
            raise AssertionError(limit)
        assert self.database.statements == before

    def test_ids_are_exact(self) -> None:
        """Another case is another token."""
        self.done(self.tokens.create(token("t1")))
        assert self.done(self.tokens.get("T1")) is None

    def test_revocation_is_dated_once(self) -> None:
        """Revoking twice keeps the first date; activating clears it."""
        self.done(self.tokens.create(token()))
        assert self.done(self.tokens.update("t1", is_active=False)).deactivated_at == NOW
        self.clock.advance(5)
        revoked = self.done(self.tokens.update("t1", is_active=False))
        assert (revoked.is_active, revoked.deactivated_at) == (False, NOW)
        active = self.done(self.tokens.update("t1", is_active=True))
        assert (active.is_active, active.deactivated_at) == (True, None)

    def test_limits(self) -> None:
        """A limit can be set, and taken away; what is not named stays."""
        self.done(self.tokens.create(token()))
        assert self.done(self.tokens.update("t1", max_requests=7)).max_requests == 7
        assert self.done(self.tokens.update("t1", is_active=True)).max_requests == 7
        assert self.done(self.tokens.update("t1", unlimited=True)).max_requests is None

    def test_unchanged_is_found(self) -> None:
        """An update that changes nothing is not taken for an unknown token."""
        self.done(self.tokens.create(token(max_requests=7)))
        assert self.done(self.tokens.update("t1", max_requests=7)).max_requests == 7

    def test_revoke_project(self) -> None:
        """All of a project's tokens are revoked, nobody else's, and a second time changes nothing."""
        for name, owner in (("a", "p1"), ("b", "p1"), ("c", "p2")):
            self.done(self.tokens.create(token(name, owner)))
        self.done(self.tokens.update("a", is_active=False))
        before = self.database.statements
        assert self.done(self.tokens.revoke_project("p1")) == (1, 2)
        assert self.database.statements - before <= 8
        assert self.done(self.tokens.revoke_project("p1")) == (0, 2)
        assert [each.is_active for each in self.done(self.tokens.list("p2"))] == [True]
        assert self.done(self.tokens.get("b")).deactivated_at == NOW

    def test_statements(self) -> None:
        """The counter that other tests trust does count."""
        before = self.database.statements
        self.done(self.tokens.get("t1"))
        assert self.database.statements > before

    def test_what_is_noted(self) -> None:
        """A name and metadata are kept as they are, whatever letters they are of, and can be taken away."""
        noted = token(name="Ünï 漢字 🦆", metadata='{"team":"\\u00e9\\n","x":"🦆"}')
        self.done(self.tokens.create(noted))
        assert self.done(self.tokens.get("t1")) == noted
        changed = self.done(self.tokens.update("t1", name="", metadata=""))
        assert (changed.name, changed.metadata, changed.version) == (None, None, 2)

    def test_expiry(self) -> None:
        """The moment at which a token expires can be moved, to the microsecond."""
        self.done(self.tokens.create(token()))
        assert self.done(self.tokens.update("t1", expires_at=NOW + 0.000001)).expires_at == NOW + 0.000001

    def test_version(self) -> None:
        """A change of a version that is no longer the present one is not made; uses are no changes."""
        self.done(self.tokens.create(token()))
        assert self.done(self.tokens.update("t1", is_active=False, version=1)).version == 2
        for late in (
            self.tokens.update("t1", is_active=True, version=1),
            self.tokens.rotate("t1", token_hash="f" * 64, hint="h", version=1),
        ):
            self.failureResultOf(late, PreconditionFailed)  # type: ignore[attr-defined]
        assert self.done(self.tokens.get("t1")).is_active is False
        assert self.done(self.tokens.update("x", is_active=True, version=1)) is None
        assert self.done(self.tokens.revoke_project("p1")) == (0, 1)
        assert self.done(self.tokens.get("t1")).version == 2

    def test_rotate(self) -> None:
        """The new secret is found at once; the one before it until its time is over, none before that."""
        first = token(max_requests=7)
        self.done(self.tokens.create(first))
        rotated = self.done(
            self.tokens.rotate("t1", token_hash="a" * 64, hint="sk-new", previous_until=NOW + 60, expires_at=NOW + 90)
        )
        assert (rotated.token_hash, rotated.hint, rotated.expires_at, rotated.version) == (
            "a" * 64,
            "sk-new",
            NOW + 90,
            2,
        )
        assert self.done(self.tokens.by_hash("a" * 64)) == rotated
        earlier = self.done(self.tokens.by_hash(first.token_hash))
        assert (earlier.id, earlier.token_hash, earlier.expires_at) == ("t1", first.token_hash, NOW + 60)
        self.done(self.tokens.rotate("t1", token_hash="b" * 64, hint="h", previous_until=NOW + 60))
        assert self.done(self.tokens.by_hash(first.token_hash)) is None
        assert self.done(self.tokens.by_hash("a" * 64)).expires_at == NOW + 60
        self.done(self.tokens.rotate("t1", token_hash="c" * 64, hint="h"))
        assert self.done(self.tokens.by_hash("b" * 64)) is None
        assert self.done(self.tokens.by_hash("c" * 64)).max_requests == 7
        assert self.done(self.tokens.rotate("x", token_hash="d" * 64, hint="h")) is None

    def test_filters(self) -> None:
        """Tokens are found by whether their time is over and by what is in their name."""
        for name, more in (("a", {"expires_at": NOW}), ("b", {"name": "Build"}), ("c", {"expires_at": None})):
            self.done(self.tokens.create(token(name, **more)))

        def found(**wanted: Any) -> list[str]:
            return sorted(each.id for each in self.done(self.tokens.page(9, **wanted)).items)

        assert found(expired=True) == ["a"]
        assert found(expired=False) == ["b", "c"]
        assert found(name="BUI") == ["b"]
        assert found(name="b", expired=True) == []

    def test_search(self) -> None:
        """
        A search has pages too, with what else is asked for, the latest first; what means something in SQL means itself,
        and each letter has both its cases.
        """
        for at, name in enumerate(
            ["Nightly 1", "nightly_2", "NIGHTLY 3", "day", None, "Ärzte [x]*", "ПРОЕКТ?", "100%^"]
        ):
            self.done(self.tokens.create(token(f"t{at}", name=name, created_at=NOW + at, is_active=at != 1)))
        self.done(self.tokens.create(token("u", name="nightly", created_at=NOW, project_id="p2")))

        def found(name: str, limit: int = 9, after: str | None = None, **more: Any) -> tuple[list[str], str | None]:
            page = self.done(self.tokens.page(limit, after, name=name, **more))
            return [each.id for each in page.items], page.after

        assert found("nightly") == (["t2", "t1", "u", "t0"], None)
        assert found("nightly", is_active=False) == (["t1"], None)
        assert found("nightly", project_id="p2") == (["u"], None)
        first, after = found("IGHT", 3)
        assert (first, found("IGHT", 3, after)) == (["t2", "t1", "u"], (["t0"], None))
        for text, ids in (
            ("ärzte [", ["t5"]),
            ("[X]*", ["t5"]),
            ("проект?", ["t6"]),
            ("ект??", []),
            ("0%", ["t7"]),
            ("%^", ["t7"]),
            ("ä*", []),
            ("y_", ["t1"]),
        ):
            assert found(text) == (ids, None), text
