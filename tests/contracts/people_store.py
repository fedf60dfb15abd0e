"""What each store of people does, whatever the database."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from sqlalchemy import insert
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from llmproxy.core.people.person import Person, subject_key
from llmproxy.core.tokens import DEVICE, JWT
from llmproxy.interfaces.people import IPeopleStore
from llmproxy.message import Session, Token
from llmproxy.store.database import Database
from llmproxy.store.people import PeopleStore
from llmproxy.store.schema import changes, ended_tokens
from llmproxy.usagelimits import UsageLimits

from ..store.databases import NOW, clock_at, project, token

ISSUER = "https://id.example.com"


def person(person_id: str = "o1", subject: str = "u1", **changed: Any) -> Person:
    values: dict[str, Any] = {
        "name": "Ann Öz",
        "email": f"{subject}@example.com",
        "groups": ("eng", "staff"),
        "role": "operator",
        "project_id": "p1",
        "limits": UsageLimits(rpm_limit=5, models=("gpt-*",)),
        "created_at": NOW,
        "last_seen_at": NOW,
    }
    return Person(person_id, subject_key(ISSUER, subject), "corp", ISSUER, subject, **(values | changed))


def theirs(token_id: str, owner: Person, kind: str = DEVICE, **changed: Any) -> Token:
    return token(token_id, person_id=owner.id, kind=kind, limits=owner.limits, **changed)


def session(session_id: str, owner: str, provider_session: str | None = None) -> Session:
    digest = session_id.encode().hex().rjust(64, "0")
    return Session(
        session_id, digest, owner, "", False, NOW, NOW, NOW + 3600, provider_session=provider_session, id_token="sealed"
    )


class PeopleStoreContract:
    """Mixed into a test case that says how to C{open} a database."""

    database: Database
    clock: Clock

    def open(self) -> Database:
        raise NotImplementedError

    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = self.open()
        self.people = PeopleStore(self.clock, self.database)
        for each in (project("p1"), project("p2")):
            self.done(self.database.projects.create(each))

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)  # type: ignore[attr-defined]

    def noted(self) -> list[tuple[str, str]]:
        """What other processes learn of."""
        rows = self.done(self.database.read(lambda connection: connection.execute(changes.select()).all()))
        return [(row.what, row.which) for row in sorted(rows, key=lambda row: row.id)]

    def is_active(self, token_id: str) -> bool:
        found: bool = self.done(self.database.tokens.get(token_id)).is_active
        return found

    def test_interface(self) -> None:
        verifyObject(IPeopleStore, self.people)

    def test_round_trip(self) -> None:
        """What was stored is what is found."""
        ann = person()
        assert self.done(self.people.note(ann)) == ann
        assert self.done(self.people.get("o1")) == ann
        assert self.done(self.people.by_key(ann.subject_key)) == ann
        assert self.done(self.people.get("o2")) is None

    def test_again(self) -> None:
        """Who signs in again is the same person, with what is said of them now; what was said before is no news."""
        ann = self.done(self.people.note(person()))
        later = person("other id", name="Ann B", groups=("new",), role=None, last_seen_at=NOW + 5, created_at=NOW + 5)
        found = self.done(self.people.note(later))
        assert (found.id, found.created_at, found.name, found.groups) == ("o1", NOW, "Ann B", ("new",))
        assert (found.role, found.last_seen_at, found.version) == (None, NOW + 5, ann.version + 1)
        assert self.done(self.people.note(evolve(later, name="Old", last_seen_at=NOW))) == found
        # The same again is no news, and writes nothing.
        assert self.done(self.people.note(later)).version == found.version
        # Nor is it lost what other rules make of the same word.
        assert self.done(self.people.note(evolve(later, project_id="p2"))).project_id == "p2"

    def test_what_they_have_follows(self) -> None:
        """Tokens for another project end, those for this one get its limits, in every process."""
        ann = self.done(self.people.note(person()))
        for each in (theirs("t1", ann), theirs("t2", ann, project_id="p2"), theirs("t3", ann, JWT, project_id="p2")):
            assert self.done(self.people.add_token(each))
        self.done(self.people.note(evolve(ann, last_seen_at=NOW + 1, limits=UsageLimits(rpm_limit=9))))
        assert [self.is_active(each) for each in ("t1", "t2", "t3")] == [True, False, True]
        assert self.done(self.database.tokens.get("t1")).limits == UsageLimits(rpm_limit=9)
        assert {("token", "t1"), ("token", "t2")} <= set(self.noted()) or not self.database.is_shared

    def test_page(self) -> None:
        """Who signed in last comes first; the rest follows, whatever is added meanwhile."""
        for number in range(5):
            self.done(self.people.note(person(f"o{number}", f"u{number}", last_seen_at=NOW + number % 3)))
        first = self.done(self.people.page(2))
        assert [each.id for each in first.items] == ["o2", "o4"]
        rest = self.done(self.people.page(10, first.after))
        assert [each.id for each in rest.items] == ["o1", "o3", "o0"]
        assert rest.after is None
        assert [each.id for each in self.done(self.people.page(10, text="U3@EX")).items] == ["o3"]
        assert len(self.done(self.people.page(10, text="ann ö")).items) == 5
        self.done(self.people.revoke("o3"))
        assert [each.id for each in self.done(self.people.page(10, is_revoked=True)).items] == ["o3"]
        assert len(self.done(self.people.page(10, is_revoked=False)).items) == 4
        assert {each.id for each in self.done(self.people.some(["o1", "o3", "none"]))} == {"o1", "o3"}

    def test_project(self) -> None:
        """A project by its name or its id."""
        for text, found in (("project p1", "p1"), ("p2", "p2"), ("Project p1", None), ("", None)):
            assert self.done(self.people.project_id(text)) == found, text

    def test_tokens(self) -> None:
        """Those of a person, and no other's."""
        ann = self.done(self.people.note(person()))
        assert self.done(self.people.add_token(theirs("t1", ann)))
        assert self.done(self.people.add_token(theirs("t2", ann, created_at=NOW + 1)))
        self.done(self.database.tokens.create(token("t3")))
        assert [each.id for each in self.done(self.people.tokens("o1"))] == ["t2", "t1"]
        stored = self.done(self.database.tokens.get("t1"))
        assert (stored.person_id, stored.kind) == ("o1", DEVICE)

    def test_jwt_token(self) -> None:
        """One token is behind all access tokens of a person in a project."""
        ann = self.done(self.people.note(person()))
        first = self.done(self.people.jwt_token("o1", theirs("t1", ann, JWT), NOW))
        assert self.done(self.people.jwt_token("o1", theirs("t2", ann, JWT), NOW)) == first
        other = self.done(self.people.jwt_token("o1", theirs("t3", ann, JWT, project_id="p2"), NOW))
        assert (first.id, other.id) == ("t1", "t3")
        assert self.done(self.people.jwt_token("gone", theirs("t4", ann, JWT), NOW)) is None

    def test_jwt_token_revoked(self) -> None:
        """What a provider gave before its token was revoked is over; what it gives later has another."""
        ann = self.done(self.people.note(person()))
        self.done(self.people.jwt_token("o1", theirs("t1", ann, JWT), NOW))
        self.clock.advance(10)
        self.done(self.database.tokens.update("t1", is_active=False))
        for said_at in (NOW, NOW + 10, None):
            found = self.done(self.people.jwt_token("o1", theirs("t2", ann, JWT), said_at))
            assert (found.id, found.is_active) == ("t1", False), said_at
        later = self.done(self.people.jwt_token("o1", theirs("t2", ann, JWT), NOW + 11))
        assert (later.id, later.is_active) == ("t2", True)

    def test_revoked(self) -> None:
        """All that is a person's ends in one transaction that others hear of; nothing new is given to them."""
        ann, bob = (self.done(self.people.note(each)) for each in (person(), person("o2", "u2")))
        for each in (theirs("t1", ann), theirs("t2", ann, JWT), theirs("t3", bob)):
            self.done(self.people.add_token(each))
        for each in (session("s1", "o1"), session("s2", "o2")):
            self.done(self.database.sessions.create(each))
        revoked = self.done(self.people.revoke("o1"))
        assert revoked.revoked_at == NOW
        assert [self.is_active(each) for each in ("t1", "t2", "t3")] == [False, False, True]
        assert [each.id for each, _ in self.done(self.database.sessions.list())] == ["s2"]
        assert ("person_out", "o1") in self.noted() or not self.database.is_shared
        assert not self.done(self.people.add_token(theirs("t4", ann)))
        assert self.done(self.database.tokens.get("t4")) is None
        assert self.done(self.people.jwt_token("o1", theirs("t5", ann, JWT), NOW)) is None
        # A second time, and signing in, change nothing of it.
        self.clock.advance(5)
        assert self.done(self.people.revoke("o1")).revoked_at == NOW
        assert self.done(self.people.note(evolve(ann, last_seen_at=NOW + 9))).revoked_at == NOW
        assert self.done(self.people.revoke("gone")) is None

    def test_reinstated(self) -> None:
        """Who is let in again signs in anew; what was revoked stays so."""
        ann = self.done(self.people.note(person()))
        for each in (theirs("t1", ann), theirs("t2", ann, JWT)):
            self.done(self.people.add_token(each))
        self.done(self.people.revoke("o1"))
        assert self.done(self.people.reinstate("o1")).revoked_at is None
        assert [self.is_active(each) for each in ("t1", "t2")] == [False, False]
        assert self.done(self.people.add_token(theirs("t3", ann)))
        assert self.done(self.people.reinstate("gone")) is None

    def test_session(self) -> None:
        """Who is signed in at the pages is an admin of their role, as long as they have one."""
        ann = self.done(self.people.note(person()))
        stored = session("s1", "o1", "sid-1")
        self.done(self.database.sessions.create(stored))
        found, admin = self.done(self.database.sessions.by_hash(stored.secret_hash))
        assert (found, admin.id, admin.name, admin.role) == (stored, "o1", "corp:u1@example.com", "operator")
        self.done(self.people.note(evolve(ann, role=None, last_seen_at=NOW + 1)))
        assert self.done(self.database.sessions.get("s1")) == (stored, None)

    def test_sessions_of_a_provider(self) -> None:
        """
        A provider ends its session, or all of a person; never those of another provider. What the person had signed in
        with elsewhere is over too.
        """
        other = "https://other.example.com"
        people = (
            person(),
            person("o2", "u2"),
            evolve(person("o3"), issuer=other, subject_key=subject_key(other, "u1")),
        )
        for each in people:
            self.done(self.people.note(each))
        rows = (("s1", "o1", "a"), ("s2", "o1", "b"), ("s3", "o2", "a"), ("s4", "o3", "a"), ("s5", "o1", None))

        def left(issuer: str, subject: str, provider_session: str) -> set[str]:
            self.done(self.database.sessions.end_all())
            for row in rows:
                self.done(self.database.sessions.create(session(*row)))
            ended = self.done(self.people.end_sessions(issuer, subject, provider_session))
            found = {each.id for each, _ in self.done(self.database.sessions.list())}
            assert ended == len(rows) - len(found)
            return found

        for asked, kept in (
            ((ISSUER, "u1", "a"), {"s2", "s3", "s4", "s5"}),
            ((ISSUER, "", "a"), {"s2", "s4", "s5"}),
            ((ISSUER, "u1", ""), {"s3", "s4"}),
            ((ISSUER, "u9", ""), {"s1", "s2", "s3", "s4", "s5"}),
            ((other, "", "b"), {"s1", "s2", "s3", "s4", "s5"}),
        ):
            assert left(*asked) == kept, asked
        assert [self.done(self.people.get(each)).is_signed_in(NOW) for each in ("o1", "o2", "o3")] == [
            False,
            True,
            True,
        ]

    def test_export(self) -> None:
        """All that is kept of somebody, and no hash of a secret."""
        ann = self.done(self.people.note(person()))
        self.done(self.people.add_token(theirs("t1", ann, name="laptop")))
        self.done(self.database.sessions.create(session("s1", "o1")))
        found = self.done(self.people.export("o1", 10))
        assert (found["person"]["email"], found["person"]["groups"]) == ("u1@example.com", ["eng", "staff"])
        assert [each["name"] for each in found["tokens"]] == ["laptop"]
        assert [each["id"] for each in found["sessions"]] == ["s1"]
        assert set(found) == {"person", "tokens", "devices", "sessions", "usage", "audit"}
        assert "hash" not in repr(found)
        assert self.done(self.people.export("gone", 10)) is None

    def test_deleted(self) -> None:
        """Nothing names them any more, and what they had has ended."""
        ann = self.done(self.people.note(person()))
        self.done(self.people.add_token(theirs("t1", ann, name="laptop of ann")))
        row = {"id": "t0", "name": "gone", "project_id": "p1", "ended_at": NOW, "removed_at": NOW, "person_id": "o1"}
        self.done(self.database.run(lambda connection: connection.execute(insert(ended_tokens).values(row))))
        self.done(self.database.sessions.create(session("s1", "o1")))
        assert self.done(self.people.delete("o1"))
        assert self.done(self.people.get("o1")) is None
        kept = self.done(self.database.tokens.get("t1"))
        assert (kept.is_active, kept.name, kept.person_id) == (False, None, None)
        [gone] = self.done(self.database.read(lambda connection: connection.execute(ended_tokens.select()).all()))
        assert (gone.name, gone.person_id) == (None, None)
        assert self.done(self.database.sessions.list()) == []
        assert ("person_out", "o1") in self.noted() or not self.database.is_shared
        assert not self.done(self.people.delete("o1"))
        # Whom the provider lets in again is new.
        assert self.done(self.people.note(person("o9"))).id == "o9"
