"""Tests for L{llmproxy.store.importing}; tests/cli/test_db_import.py has the command, with everything moved."""

from __future__ import annotations

import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.tokens import token_hash
from llmproxy.sinks.audit import Notes
from llmproxy.store.backend import locate
from llmproxy.store.importing import Import, Outcome, WrongKey
from llmproxy.store.importsource import GoSource, source_engine
from llmproxy.store.secrets import Cipher, KeyRing

from ..goschema import HASHED, KEY, make, rows, uuid
from ..tables import row
from .databases import KEY as OUR_KEY
from .databases import clock_at, opened, project, token


class ImportCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.target = self.mktemp()
        self.database = opened(self, self.target)

    def moved(self, filling: Any, *, key: bytes | None = KEY, first: bool = False, writes: bool = True) -> Outcome:
        path = self.mktemp()
        make(path, filling, first)
        engine = source_engine(locate(path, 1))
        ours = locate(self.target, 1).engine()
        notes = Notes(clock_at())
        try:
            with engine.connect() as source, ours.execution_options(llmproxy_writes=True).begin() as connection:
                moving = Import(
                    GoSource(source),
                    connection,
                    cipher=None if key is None else Cipher(key),
                    keys=KeyRing.of(OUR_KEY),
                    api_for=lambda key: "openai",
                    now=time.time(),
                    writes=writes,
                )
                return moving.run(
                    lambda heads: notes.own("audit.open", heads=heads), lambda _: notes.own("database.import")
                )
        finally:
            engine.dispose()
            ours.dispose()

    def tallies(self, outcome: Outcome) -> list[tuple[int, int, int, int]]:
        return [(each.found, each.moved, each.there, each.left_out) for each in outcome.tables.values()]

    def reasons(self, outcome: Outcome) -> list[tuple[str, str, str]]:
        return [(each.table, each.id, each.reason) for each in outcome.problems]


class ImportTests(ImportCase):
    def test_twice(self) -> None:
        """All of it is moved once; the second time everything is there, whatever was changed here meanwhile."""
        filling = rows()
        self.assertEqual(self.tallies(self.moved(filling)), [(3, 3, 0, 0), (4, 4, 0, 0), (1, 1, 0, 0)])
        self.successResultOf(self.database.projects.update(uuid(1), name="renamed"))
        rotated = self.database.tokens.rotate(uuid(11), token_hash="99" * 32, hint="sk-9")
        self.successResultOf(rotated)
        outcome = self.moved(filling)
        self.assertEqual(self.tallies(outcome), [(3, 0, 3, 0), (4, 0, 4, 0), (1, 0, 1, 0)])
        self.assertEqual(self.successResultOf(self.database.projects.get(uuid(1))).name, "renamed")
        self.assertEqual(self.successResultOf(self.database.tokens.get(uuid(11))).token_hash, "99" * 32)

    def test_dry(self) -> None:
        """A dry run finds the same and writes nothing."""
        outcome = self.moved(rows(), writes=False)
        self.assertEqual(self.tallies(outcome), [(3, 3, 0, 0), (4, 4, 0, 0), (1, 1, 0, 0)])
        self.assertEqual(self.successResultOf(self.database.projects.list()), [])

    def test_owned(self) -> None:
        """Nothing that another id or hash owns is changed, and no token comes to a project that is another one."""
        hashed = token_hash(HASHED.encode())
        here = [project(uuid(1)), project("mine", name="over")]
        for each in here:
            self.successResultOf(self.database.projects.create(each))
        tokens = [token("other", "mine", token_hash="13".zfill(64)), token("old", "mine", previous_hash=hashed)]
        for each in tokens:
            self.successResultOf(self.database.tokens.create(each))
        outcome = self.moved(rows())
        self.assertEqual(
            self.reasons(outcome),
            [
                ("projects", uuid(1), "another project has this id"),
                ("projects", uuid(3), "its name is that of project mine"),
                ("tokens", uuid(11), "its project is not there, or was left out"),
                ("tokens", uuid(12), "its secret is that of token old"),
                ("tokens", uuid(13), "its secret is that of token other"),
                ("tokens", uuid(14), "its project is not there, or was left out"),
            ],
        )
        self.assertEqual([self.successResultOf(self.database.projects.get(each.id)) for each in here], here)
        self.assertEqual([self.successResultOf(self.database.tokens.get(each.id)) for each in tokens], tokens)

    def test_same_id(self) -> None:
        """A token whose id is another's is left out."""
        self.successResultOf(self.database.projects.create(project("mine")))
        mine = token(uuid(11), "mine")
        self.successResultOf(self.database.tokens.create(mine))
        outcome = self.moved(rows())
        self.assertEqual(self.reasons(outcome), [("tokens", uuid(11), "another token has this id")])
        self.assertEqual(self.successResultOf(self.database.tokens.get(uuid(11))), mine)

    def test_one_secret_twice(self) -> None:
        """A token in clear and its hash are one secret: the first has it."""
        filling = {name: list(each) for name, each in rows().items()}
        filling["tokens"].append(dict(filling["tokens"][1], id=uuid(19), token=HASHED))
        outcome = self.moved(filling)
        self.assertEqual(self.reasons(outcome), [("tokens", uuid(19), f"its secret is that of token {uuid(12)}")])

    def test_first_schema(self) -> None:
        """The first schema has no ids of tokens, and another name for the key."""
        filling = rows()
        names = ("token", "project_id", "expires_at", "created_at", "max_requests")
        old = {
            "projects": [
                {("openai_api_key" if name == "api_key" else name): value for name, value in each.items()}
                for each in filling["projects"]
            ],
            "tokens": [{name: each[name] for name in names if name in each} for each in filling["tokens"]],
        }
        self.assertEqual(self.tallies(self.moved(old, first=True))[1], (4, 4, 0, 0))
        self.assertEqual(self.tallies(self.moved(old, first=True))[1], (4, 0, 4, 0))
        found = self.successResultOf(self.database.tokens.by_hash(token_hash(HASHED.encode())))
        self.assertEqual((found.project_id, found.max_requests), (uuid(1), 9))

    def test_keys(self) -> None:
        """Keys are encrypted anew; with a wrong key or none nothing is moved, with one of several the rest is."""
        for key, words in (
            (bytes(32), "opens none of its 1 encrypted keys"),
            (None, "no key is given for any of its 1"),
        ):
            with row(words):
                self.assertIn(words, str(self.assertRaises(WrongKey, self.moved, rows(), key=key)))
                self.assertEqual(self.successResultOf(self.database.projects.list()), [])
        filling = {name: list(each) for name, each in rows().items()}
        filling["projects"].append(dict(filling["projects"][0], id=uuid(9), name="bad", api_key="enc:v1:AAAA"))
        filling["projects"].append(dict(filling["projects"][0], id=uuid(8), name="form", api_key="enc:v2:0:AAAA"))
        outcome = self.moved(filling)
        self.assertEqual([each.id for each in outcome.problems], [uuid(9), uuid(8)])
        stored = self.database.read(lambda c: c.exec_driver_sql("SELECT api_key FROM projects").scalars().all())
        kept = self.successResultOf(stored)
        self.assertEqual(sorted({text[:7] for text in kept if text}), ["enc:v2:"])
        found = self.successResultOf(self.database.projects.get(uuid(2)))
        self.assertEqual(dict(found.api_keys), {"openai": ("sk-ant-canary-in-clear",)})
