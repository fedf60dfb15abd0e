"""With which key a database is encrypted, and changing that."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import event, text
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.databases import EncryptionKey
from llmproxy.errors import ConfigError
from llmproxy.store.backend import locate
from llmproxy.store.engine import open_database
from llmproxy.store.keyrotation import Resealing, reseal, survey
from llmproxy.store.projectkeys import place
from llmproxy.store.secrets import Cipher, KeyRing, form_of
from llmproxy.store.threads import NoThreads

from .databases import BINDING, KEY, clock_at, project

NEW = bytes(reversed(range(32)))
SECRET = "sk-upstream-canary-key-0001"


def first_form(project_id: str, key: bytes = KEY) -> str:
    """What the first release wrote."""
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, SECRET.encode(), place(project_id).encode())
    return "enc:v1:" + b64encode(nonce + sealed).decode()


class SealingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = self.mktemp()
        self.engine = locate(self.path, 1).engine()
        self.addCleanup(self.engine.dispose)

    def made(self, key: bytes | None, old: tuple[bytes, ...] = (), required: bool = False) -> Any:
        return open_database(
            clock_at(),
            self.path,
            encryption_key=key,
            old_encryption_keys=old,
            require_encryption=required,
            threads=NoThreads,
            binding=BINDING,
        )

    def open(self, *arguments: Any) -> Any:
        database = self.made(*arguments)
        self.successResultOf(database.start())
        self.addCleanup(lambda: self.successResultOf(database.close()))
        return database

    def refused(self, *arguments: Any) -> str:
        error = self.failureResultOf(self.made(*arguments).start(), ConfigError).value
        self.assertNotIn("canary", str(error))
        return str(error).removeprefix(f"database {self.path}: ")

    def put(self, project_id: str, stored: str | None = None, key: bytes | None = KEY) -> None:
        database = self.open(key)
        self.successResultOf(database.projects.create(project(project_id, api_key=SECRET)))
        if stored is not None:
            self.write(project_id, stored)

    def write(self, project_id: str, stored: str) -> None:
        with self.engine.begin() as connection:
            statement = text("UPDATE projects SET api_key = :key WHERE id = :id")
            connection.execute(statement, {"key": stored, "id": project_id})

    def stored(self) -> dict[str, str]:
        with self.engine.begin() as connection:
            return {row.id: row.api_key for row in connection.execute(text("SELECT id, api_key FROM projects"))}

    def reseal(self, keys: KeyRing, concerns: Callable[[str], bool] = lambda form: True) -> Resealing:
        self.seen = 0

        def advance(steps: int) -> None:
            self.seen += steps

        return reseal(self.engine, keys, concerns, advance)

    def keys_of(self, database: Any) -> set[str]:
        return {each.api_keys["openai"][0] for each in self.successResultOf(database.projects.list())}

    def test_survey(self) -> None:
        """How many upstream keys are kept how is told without a key; a project without one is not counted."""
        self.put("p1")
        self.put("p2", first_form("p2"))
        self.put("p3", "plain")
        self.put("p4", "")
        with self.engine.begin() as connection:
            self.assertEqual(survey(connection), {"plain": 1, "v1": 1, Cipher(KEY).id: 1})

    def test_rotation(self) -> None:
        """A new key takes over in steps, none of which leaves anything unreadable; the old one is of no use then."""
        self.put("p1")
        self.put("p2", first_form("p2"))
        self.put("p3", "plain")
        words = (
            "ENCRYPTION_KEY{} is not the key that this database is encrypted with (its id is {}, the database's is {})"
        )
        self.assertEqual(self.refused(NEW), words.format("", Cipher(NEW).id, Cipher(KEY).id))
        sourced = EncryptionKey(NEW)
        sourced.source = "the environment"
        self.assertEqual(self.refused(sourced), words.format(" from the environment", Cipher(NEW).id, Cipher(KEY).id))
        self.assertEqual(self.keys_of(self.open(KEY, (NEW,))), {SECRET, "plain"})
        self.assertEqual(self.keys_of(self.open(NEW, (KEY,))), {SECRET, "plain"})
        done = self.reseal(KeyRing.of(NEW, [KEY]))
        self.assertEqual((done, self.seen), (Resealing(3), 3))
        self.assertEqual({form_of(each) for each in self.stored().values()}, {Cipher(NEW).id})
        self.assertEqual(self.keys_of(self.open(NEW)), {SECRET, "plain"})
        self.assertEqual(self.refused(KEY), words.format("", Cipher(KEY).id, Cipher(NEW).id))

    def test_every_key(self) -> None:
        """Keys by API are counted, encrypted anew and missed as the first one is."""
        database = self.open(KEY)
        keys = {"openai": (SECRET,), "anthropic": (SECRET + "1", SECRET + "2"), "gemini": (SECRET + "3",)}
        self.successResultOf(database.projects.create(project("p1", api_keys=keys)))
        self.successResultOf(database.projects.create(project("p2", api_keys=keys)))
        with self.engine.begin() as connection:
            self.assertEqual(survey(connection), {Cipher(KEY).id: 8})
        self.open(KEY, (NEW,))
        done = self.reseal(KeyRing.of(NEW, [KEY]))
        self.assertEqual((done, self.seen), (Resealing(8), 8))
        with self.engine.begin() as connection:
            self.assertEqual(survey(connection), {Cipher(NEW).id: 8})
        found = self.successResultOf(self.open(NEW).projects.list())
        self.assertEqual([each.api_keys for each in found], [keys, keys])
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE project_keys SET api_key = 'plain' WHERE api = 'gemini'"))
            connection.execute(text("UPDATE project_keys SET api_key = 'enc:v2:01234567:x' WHERE position = 1"))
        self.assertTrue(self.refused(NEW).endswith("(id 01234567): name it in ENCRYPTION_KEY_OLD"))
        done = self.reseal(KeyRing.of(NEW, [KEY]))
        self.assertEqual((done.sealed, done.failed), (2, ["p1", "p2"]))

    def test_many_by_api(self) -> None:
        """However many there are, they are done in portions, each once."""
        database = self.open(KEY)
        apis = {f"api-{number:02}": (SECRET,) * 3 for number in range(50)}
        for number in range(3):
            self.successResultOf(database.projects.create(project(f"p{number}", api_keys=apis)))
        self.assertEqual(self.reseal(KeyRing.of(NEW, [KEY])).sealed, 450)
        self.assertEqual(self.reseal(KeyRing.of(NEW, [KEY])), Resealing())

    def test_half_rotated(self) -> None:
        """Who has the right key for a part only is told which one is missing, at the start."""
        self.put("p1")
        self.put("p2")
        self.write("p2", Cipher(NEW).seal(SECRET, place("p2")))
        missing = f"(id {Cipher(NEW).id}): name it in ENCRYPTION_KEY_OLD"
        self.assertTrue(self.refused(KEY).endswith(missing))
        self.open(KEY, (NEW,))

    def test_migration(self) -> None:
        """What is in clear becomes encrypted, and what other keys encrypted stays as it is."""
        self.put("p1", "plain", key=None)
        self.put("p2", Cipher(NEW).seal(SECRET, place("p2")), key=None)
        done = self.reseal(KeyRing.of(KEY, [NEW]), lambda form: form in ("plain", "v1"))
        self.assertEqual(done, Resealing(1))
        forms = {name: form_of(each) for name, each in self.stored().items()}
        self.assertEqual(forms, {"p1": Cipher(KEY).id, "p2": Cipher(NEW).id})
        self.assertEqual(self.reseal(KeyRing.of(KEY, [NEW]), lambda form: form in ("plain", "v1")), Resealing())

    def test_unreadable(self) -> None:
        """What no key opens is named and left as it is; the others are done, and the old key is still the noted one."""
        self.put("p1")
        self.put("p2", Cipher(KEY).seal(SECRET, place("p1")))
        done = self.reseal(KeyRing.of(NEW, [KEY]))
        self.assertEqual((done.sealed, done.failed), (1, ["p2"]))
        self.open(NEW, (KEY,))

    def test_overtaken(self) -> None:
        """A key that somebody changes at that moment stays as it was changed to, and is told of."""
        self.put("p1")
        fresh = Cipher(NEW).seal("sk-fresh", place("p1"))

        class Overtaken(KeyRing):
            def seal(ring, plain: str, where: str) -> str:
                if plain == SECRET:
                    self.connection.execute(text("UPDATE projects SET api_key = :key"), {"key": fresh})
                return super().seal(plain, where)

        @event.listens_for(self.engine, "begin")
        def begun(connection: Any) -> None:
            self.connection = connection

        done = self.reseal(Overtaken(Cipher(NEW), [Cipher(KEY)]))
        self.assertEqual((done.sealed, done.overtaken), (0, 1))
        self.assertEqual(self.stored()["p1"], fresh)

    def test_many(self) -> None:
        """However many there are, they are done in portions, each once."""
        database = self.open(KEY)
        for number in range(205):
            self.successResultOf(database.projects.create(project(f"p{number:03}", api_key=SECRET)))
        self.assertEqual(self.reseal(KeyRing.of(NEW, [KEY])).sealed, 205)
        self.assertEqual(self.seen, 205)
        self.assertEqual(self.keys_of(self.open(NEW)), {SECRET})

    def test_required(self) -> None:
        """Where encryption is required, a database with upstream keys in clear does not open, and it is told why."""
        self.put("p1", "plain", key=None)
        self.assertEqual(
            self.refused(KEY, (), True),
            "1 upstream keys in it are not encrypted, and REQUIRE_ENCRYPTION_KEY is set: "
            "run llmproxy encryption migrate",
        )
        self.reseal(KeyRing.of(KEY))
        self.open(KEY, (), True)
