"""What every L{llmproxy.interfaces.IProjectStore} does, whatever the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from zope.interface.verify import verifyObject

from llmproxy.errors import DuplicateName, PreconditionFailed
from llmproxy.interfaces import IProjectStore
from llmproxy.store.database import Database

from ..store.databases import NOW, clock_at, project

SECRET = "sk-upstream-canary-key-0001"


class ProjectStoreContract:
    """Mixed into a test case that says how to C{open} a database with an encryption key."""

    database: Database
    clock: Clock

    def open(self) -> Database:
        raise NotImplementedError

    def setUp(self) -> None:
        self.clock = clock_at()
        self.database = self.open()
        self.projects = self.database.projects

    def done(self, deferred: Any) -> Any:
        return self.successResultOf(deferred)  # type: ignore[attr-defined]

    def stored(self, project_id: str) -> str:
        query = text("SELECT api_key FROM projects WHERE id = :id")
        return self.done(self.database.read(lambda connection: connection.scalar(query, {"id": project_id})))

    def write(self, project_id: str, api_key: str) -> None:
        query = text("UPDATE projects SET api_key = :key WHERE id = :id")
        self.done(self.database.run(lambda connection: connection.execute(query, {"id": project_id, "key": api_key})))

    def test_interface(self) -> None:
        verifyObject(IProjectStore, self.projects)

    def test_round_trip(self) -> None:
        """What was stored is what is found, the key too; at rest the key is encrypted."""
        self.done(self.projects.create(project()))
        assert self.done(self.projects.get("p1")) == project()
        assert self.stored("p1").startswith("enc:v2:")
        assert SECRET not in self.stored("p1")

    def test_equal_keys_look_different(self) -> None:
        """Two projects with the same key cannot be recognised in the database."""
        self.done(self.projects.create(project("p1")))
        self.done(self.projects.create(project("p2")))
        assert self.stored("p1") != self.stored("p2")

    def test_swapped_keys(self) -> None:
        """A key moved to another project's row opens nothing, is logged without being shown, and the rest works."""
        self.done(self.projects.create(project("p1")))
        self.done(self.projects.create(project("p2", api_key="another")))
        self.write("p2", self.stored("p1"))
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)  # type: ignore[attr-defined]
        assert [each.api_key for each in self.done(self.projects.list())] == [SECRET, ""]
        assert [event["project"] for event in events if "project" in event] == ["p2"]
        assert SECRET not in repr(events)

    def test_plain_key(self) -> None:
        """A key from the time before encryption is read, and encrypted when it is next set."""
        self.done(self.projects.create(project()))
        self.write("p1", "plain-key")
        assert self.done(self.projects.get("p1")).api_key == "plain-key"
        self.done(self.projects.update("p1", api_key="plain-key"))
        assert self.stored("p1").startswith("enc:v2:")

    def test_names_are_unique(self) -> None:
        """A name is taken once, by creation or change; case makes a difference."""
        self.done(self.projects.create(project("p1", name="Name")))
        self.done(self.projects.create(project("p2", name="name")))
        for attempt in (
            self.projects.create(project("p3", name="name")),
            self.projects.update("p1", name="name"),
        ):
            self.failureResultOf(attempt, DuplicateName)  # type: ignore[attr-defined]
        assert self.done(self.projects.get("p1")).name == "Name"

    def test_by_name(self) -> None:
        """A list is in the order of names."""
        for name in ("b", "a", "c"):
            self.done(self.projects.create(project(name, name=name)))
        assert [each.name for each in self.done(self.projects.list())] == ["a", "b", "c"]

    def test_pages(self) -> None:
        """Pages make the list, in the order of bytes on every database, each project once."""
        names = ["b", "a", "C", "é", "a b", "c", "日本", "Z"]
        for number, name in enumerate(names):
            self.done(self.projects.create(project(f"p{number}", name=name, is_active=number != 0)))
        found: list[str] = []
        after = None
        while True:
            page = self.done(self.projects.page(3, after))
            assert len(page.items) <= 3
            found += [each.name for each in page.items]
            after = page.after
            if after is None:
                break
        assert found == sorted(names)
        assert found == [each.name for each in self.done(self.projects.list())]
        assert [each.name for each in self.done(self.projects.page(9, is_active=False)).items] == ["b"]

    def test_bad_page(self) -> None:
        """What was never handed out is an error, not a guess."""
        for after in ("", "x", "WzFd", "WyJcdTAwMDAiXQ"):
            try:
                self.projects.page(1, after)
            except ValueError:
                continue
            raise AssertionError(after)

    def test_update(self) -> None:
        """Only what is named changes, and the date of the change."""
        self.done(self.projects.create(project()))
        self.clock.advance(1)
        changed = self.done(self.projects.update("p1", name="new"))
        assert changed == project(name="new", updated_at=NOW + 1, version=2)
        assert self.done(self.projects.update("p1", api_key="k2")).api_key == "k2"
        assert self.done(self.projects.update("x", name="new2")) is None
        assert self.done(self.projects.get("x")) is None

    def test_activity_is_dated(self) -> None:
        """Deactivating is dated once; activating clears the date."""
        self.done(self.projects.create(project()))
        assert self.done(self.projects.update("p1", is_active=False)).deactivated_at == NOW
        self.clock.advance(1)
        assert self.done(self.projects.update("p1", is_active=False)).deactivated_at == NOW
        active = self.done(self.projects.update("p1", is_active=True))
        assert (active.is_active, active.deactivated_at) == (True, None)

    def test_version(self) -> None:
        """A change of a version that is no longer the present one is not made."""
        self.done(self.projects.create(project()))
        assert self.done(self.projects.update("p1", name="new", version=1)).version == 2
        failure = self.failureResultOf(self.projects.update("p1", name="late", version=1), PreconditionFailed)  # type: ignore[attr-defined]
        assert failure.value.status == 412
        assert self.done(self.projects.get("p1")).name == "new"
        assert self.done(self.projects.update("x", name="y", version=1)) is None

    def test_named(self) -> None:
        """Projects are found by what is in their name, in either case; what means something in SQL means itself."""
        for name in ("Alpha", "beta_1", "beta21", "100%"):
            self.done(self.projects.create(project(name, name=name)))
        for part, found in (("ALPH", ["Alpha"]), ("a_1", ["beta_1"]), ("%", ["100%"]), ("eta", ["beta21", "beta_1"])):
            assert [each.name for each in self.done(self.projects.page(9, name=part)).items] == found

    def test_named_beyond_ascii(self) -> None:
        """The same for every letter that there is."""
        for name in ("Ärzte", "ПРОЕКТ 1", "テスト", "über.x"):
            self.done(self.projects.create(project(name, name=name)))
        for part, found in (
            ("ärz", ["Ärzte"]),
            ("проект", ["ПРОЕКТ 1"]),
            ("スト", ["テスト"]),
            ("ÜBER.", ["über.x"]),
            ("ü.e", []),
        ):
            assert [each.name for each in self.done(self.projects.page(9, name=part)).items] == found, part
