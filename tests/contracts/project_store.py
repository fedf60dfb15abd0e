"""What every L{llmproxy.interfaces.IProjectStore} does, whatever the database."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from attrs import evolve
from sqlalchemy import text
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from zope.interface.verify import verifyObject

from llmproxy.errors import DuplicateName, PreconditionFailed
from llmproxy.interfaces import IProjectStore
from llmproxy.providers.registry import Binding
from llmproxy.store.database import Database
from llmproxy.store.projectkeys import ProjectKeys
from llmproxy.store.secrets import KeyRing
from llmproxy.usagelimits import UNSET, UsageLimits

from ..store.databases import BINDING, KEY, NOW, clock_at, project

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

    def test_stated_limits(self) -> None:
        """Limits are kept with their three states, changed one by one, and set back by when that was."""
        stated = UsageLimits(rpm_limit=60, tpm_limit=None, max_budget=Decimal("50.5"), downgrade=(("a", "b"),))
        self.done(self.projects.create(evolve(project(), limits=stated)))
        assert self.done(self.projects.get("p1")).limits == stated
        changed = self.done(self.projects.update("p1", limits={"rpm_limit": UNSET, "models": ("x",)}))
        assert changed.limits == evolve(stated, rpm_limit=UNSET, models=("x",))
        reset = self.done(self.projects.update("p1", budget_reset_at=NOW))
        assert (reset.budget_reset_at, reset.limits) == (NOW, changed.limits)

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
        assert [each.api_keys["openai"][0] for each in self.done(self.projects.list())] == [SECRET, ""]
        assert [event["project"] for event in events if "project" in event] == ["p2"]
        assert SECRET not in repr(events)

    def test_plain_key(self) -> None:
        """A key from the time before encryption is read, and encrypted when it is next set."""
        self.done(self.projects.create(project()))
        self.write("p1", "plain-key")
        assert self.done(self.projects.get("p1")).api_keys["openai"][0] == "plain-key"
        self.done(self.projects.update("p1", api_keys={"openai": ("plain-key",)}))
        assert self.stored("p1").startswith("enc:v2:")

    # -- keys by API

    KEYS = {"openai": (SECRET,), "anthropic": ("sk-ant-canary-1", "sk-ant-canary-2"), "gemini": ("AIza-canary",)}

    def others(self, project_id: str = "p1") -> list[tuple[str, int, str]]:
        query = text("SELECT api, position, api_key FROM project_keys WHERE project_id = :id ORDER BY api, position")
        rows = self.done(self.database.read(lambda connection: connection.execute(query, {"id": project_id}).all()))
        return [tuple(row) for row in rows]

    def keys(self, project_id: str = "p1") -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = dict(self.done(self.projects.get(project_id)).api_keys)
        return found

    def test_keys_by_api(self) -> None:
        """Keys for several APIs are found as they were stored, in their order, however a project is asked for."""
        self.done(self.projects.create(project("p1", api_keys=self.KEYS)))
        self.done(self.projects.create(project("p2", api_keys={"gemini": ("AIza-2",)})))
        self.done(self.projects.create(project("p3", api_keys={})))
        assert self.keys() == self.KEYS
        expected = [self.KEYS, {"gemini": ("AIza-2",)}, {}]
        assert [each.api_keys for each in self.done(self.projects.list())] == expected
        assert [each.api_keys for each in self.done(self.projects.page(9)).items] == expected
        stored = self.others()
        assert [each[:2] for each in stored] == [("anthropic", 0), ("anthropic", 1), ("gemini", 0)]
        assert all(sealed.startswith("enc:v2:") and "canary" not in sealed for *_, sealed in stored)

    def test_keys_are_merged(self) -> None:
        """What is given for an API takes the place of what there was; the others stay; none removes."""
        self.done(self.projects.create(project(api_keys=self.KEYS)))
        for change, expected in (
            ({"gemini": ("AIza-new",)}, {**self.KEYS, "gemini": ("AIza-new",)}),
            ({"gemini": None, "anthropic": ("sk-ant-3",)}, {"openai": (SECRET,), "anthropic": ("sk-ant-3",)}),
            ({"openai": ("a", "b", "c")}, {"openai": ("a", "b", "c"), "anthropic": ("sk-ant-3",)}),
            ({"openai": ("d",)}, {"openai": ("d",), "anthropic": ("sk-ant-3",)}),
            ({"openai": None}, {"anthropic": ("sk-ant-3",)}),
            ({"openai": ("e",)}, {"openai": ("e",), "anthropic": ("sk-ant-3",)}),
            ({}, {"openai": ("e",), "anthropic": ("sk-ant-3",)}),
            ({"nowhere": None}, {"openai": ("e",), "anthropic": ("sk-ant-3",)}),
        ):
            changed = self.done(self.projects.update("p1", api_keys=change))
            assert (changed.api_keys, self.keys()) == (expected, expected), change

    def test_keys_of_an_old_version(self) -> None:
        """A change that is refused for its version leaves the keys as they are."""
        self.done(self.projects.create(project(api_keys=self.KEYS)))
        late = self.projects.update("p1", api_keys={"openai": None, "gemini": ("x",)}, version=7)
        self.failureResultOf(late, PreconditionFailed)  # type: ignore[attr-defined]
        assert self.keys() == self.KEYS

    def test_key_moved_to_another_api(self) -> None:
        """A key that somebody moves to another API, or to another project, in the database opens nothing."""
        self.done(self.projects.create(project("p1", api_keys=self.KEYS)))
        move = text("UPDATE project_keys SET api = 'groq' WHERE api = 'gemini'")
        self.done(self.database.run(lambda connection: connection.execute(move)))
        assert self.keys() == {"openai": (SECRET,), "anthropic": self.KEYS["anthropic"], "groq": ("",)}

    def test_where_earlier_releases_look(self) -> None:
        """A key for the default API, and no other, stands where earlier releases look for one and change it."""
        self.done(self.projects.create(project("p1", api_keys=self.KEYS)))
        self.done(self.projects.create(project("p2", api_keys={"gemini": ("AIza-2",)})))
        assert (bool(self.stored("p1")), self.stored("p2")) == (True, "")
        self.write("p1", "changed-by-an-earlier-release")
        assert self.keys()["openai"] == ("changed-by-an-earlier-release",)

    # -- keys of which nobody has said whose they are

    def unbound(self, **keys: str) -> None:
        """Projects as an earlier release has them."""
        insert = text("INSERT INTO projects (id, name, api_key, created_at, updated_at) VALUES (:id, :id, :key, 1, 1)")

        def write(connection: Any) -> None:
            for project_id, key in keys.items():
                connection.execute(insert, {"id": project_id, "key": key})

        self.done(self.database.run(write))

    def bind(self, binding: Binding) -> list[str]:
        keys = ProjectKeys(KeyRing.of(KEY), binding)
        found: list[str] = self.done(self.database.run(keys.bind))
        return found

    def test_bound_once(self) -> None:
        """A key is bound to the API of its provider, else to the default one, whatever that is later."""
        self.unbound(a="sk-ant-canary", b="sk-canary", c="")
        assert [self.keys(each) for each in "abc"] == [{}, {}, {}]
        assert sorted(self.bind(BINDING)) == ["a", "b", "c"]
        expected = [{"anthropic": ("sk-ant-canary",)}, {"openai": ("sk-canary",)}, {}]
        assert [self.keys(each) for each in "abc"] == expected
        assert self.bind(Binding("local", (("local", "anthropic"),))) == []
        assert [self.keys(each) for each in "abc"] == expected

    def test_bound_to_none(self) -> None:
        """A key of a provider that no API leads to is sent nowhere; one line says of each what to type, and no key."""
        self.unbound(a="AIza-canary-1", b="gsk_canary-2", c="sk-ant-canary")
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)  # type: ignore[attr-defined]
        for _ in range(2):
            self.bind(BINDING)
        lines = sorted(formatEvent(event) for event in events if "project" in event)
        assert len(lines) == 2, lines
        assert "llmproxy project set-key a openai" in lines[0] and "gemini" in lines[0]
        assert "llmproxy project set-key b openai" in lines[1] and "groq" in lines[1]
        assert "canary" not in repr(events)
        assert [self.keys(each) for each in "abc"] == [{}, {}, {"anthropic": ("sk-ant-canary",)}]

    def test_none_makes_room(self) -> None:
        """A key that is sent nowhere is gone as soon as the default API gets another, or is to have none."""
        self.unbound(a="AIza-canary-1", b="gsk_canary-2")
        self.bind(BINDING)
        self.done(self.projects.update("a", api_keys={"openai": ("sk-new", "sk-more"), "anthropic": ("sk-ant",)}))
        self.done(self.projects.update("b", api_keys={"openai": None}))
        assert self.keys("a") == {"openai": ("sk-new", "sk-more"), "anthropic": ("sk-ant",)}
        assert KeyRing.of(KEY).open(self.stored("a"), "projects/a/api_key") == "sk-new"
        assert (self.keys("b"), self.stored("b")) == ({}, "")

    def test_not_bound_over_what_was_said(self) -> None:
        """What somebody has given an API since stays its key."""
        self.unbound(a="sk-ant-old", b="sk-old")
        self.done(self.projects.update("a", api_keys={"anthropic": ("sk-ant-new",)}))
        self.done(self.projects.update("b", api_keys={"openai": ("sk-new",)}))
        self.bind(BINDING)
        assert self.keys("a") == {"anthropic": ("sk-ant-new",)}
        assert self.keys("b") == {"openai": ("sk-new",)}

    def test_unreadable_is_not_bound(self) -> None:
        """A key that does not open now is bound when it does."""
        sealed = KeyRing.of(bytes(32)).seal("sk-ant-canary", "projects/a/api_key")
        self.unbound(a=sealed)
        assert self.bind(BINDING) == []
        again = ProjectKeys(KeyRing.of(KEY, [bytes(32)]), BINDING)
        assert self.done(self.database.run(again.bind)) == ["a"]

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

    def test_keyed(self) -> None:
        """Several are found at once, with their keys, each as it is found by itself."""
        for number in range(3):
            keys = {"openai": (f"k{number}", "second"), "other": ("o",)}
            self.done(self.projects.create(project(f"p{number}", name=f"n{number}", api_keys=keys)))
        found = self.done(self.projects.keyed(["p0", "p2", "none"]))
        assert found == {each: self.done(self.projects.get(each)) for each in ("p0", "p2")}, found
        assert self.done(self.projects.keyed([])) == {}

    def test_by_name(self) -> None:
        """A list is in the order of names."""
        for name in ("b", "a", "c"):
            self.done(self.projects.create(project(name, name=name)))
        assert [each.name for each in self.done(self.projects.list())] == ["a", "b", "c"]

    def test_several(self) -> None:
        """Several are found at once, without their keys, and so are their names; what is not there is left out."""
        for at in range(3):
            made = project(f"m{at}", name=f"many {at}", api_keys={"openai": (f"sk-many-{at}",)})
            self.done(self.projects.create(made))
        assert self.done(self.projects.names(["m0", "m2", "x"])) == {"m0": "many 0", "m2": "many 2"}
        found = {each.id: each for each in self.done(self.projects.some(["m0", "m2", "x"]))}
        whole = {name: self.done(self.projects.get(name)) for name in ("m0", "m2")}
        assert found == {name: evolve(each, api_keys={}) for name, each in whole.items()}
        assert (self.done(self.projects.names([])), self.done(self.projects.some([]))) == ({}, [])

    def test_newest(self) -> None:
        """Those that were made last come first where that is asked, each once, also of one moment."""
        for at in range(7):
            self.done(self.projects.create(project(f"n{at}", name=f"{9 - at}", created_at=NOW + at // 3)))
        found, after = [], None
        while True:
            page = self.done(self.projects.page(3, after, newest=True))
            found.append([each.id for each in page.items])
            after = page.after
            if after is None:
                break
        assert found == [["n6", "n5", "n4"], ["n3", "n2", "n1"], ["n0"]]

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
        assert self.done(self.projects.update("p1", api_keys={"openai": ("k2",)})).api_keys["openai"][0] == "k2"
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
