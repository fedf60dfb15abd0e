"""C{llmproxy db import-go}; tests/integration/test_import_go.py has the other databases, and a proxy behind it."""

from __future__ import annotations

import json
import os
import stat
from base64 import b64encode
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.main import cli
from llmproxy.core.audit.search import AuditFilter
from llmproxy.core.tokens import token_hash
from llmproxy.store.audittrail import AuditTrail

from ..goschema import HASHED, KEY, PLAIN, UPSTREAM_KEY, make, rows, uuid
from ..store.databases import KEY as OUR_KEY
from ..store.databases import opened
from ..tables import row

APIS = """\
default_api: local
apis:
  local: {base_url: 'http://127.0.0.1:1', allowed_endpoints: [/v1], allowed_methods: [POST]}
  claude: {base_url: 'https://api.anthropic.com', allowed_endpoints: [/v1], allowed_methods: [POST]}
"""
_SETTINGS = ("DATABASE_URL", "DATABASE_PATH", "ENCRYPTION_KEY", "API_CONFIG_PATH")
_CLEARED = dict.fromkeys((*_SETTINGS, "IMPORT_DATABASE_URL", "IMPORT_ENCRYPTION_KEY", "IMPORT_ENCRYPTION_KEY_FILE"))


def text_of(key: bytes) -> str:
    return b64encode(key).decode()


class ImportGoTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path, self.target = self.mktemp(), self.mktemp()
        make(self.path, rows())
        self.env: dict[str, Any] = {
            "DATABASE_PATH": self.target,
            "ENCRYPTION_KEY": text_of(OUR_KEY),
            "IMPORT_ENCRYPTION_KEY": text_of(KEY),
        }

    def run_(self, *arguments: str, **env: Any) -> Result:
        variables = {**_CLEARED, **self.env, **env}
        result = CliRunner().invoke(cli, ["db", "import-go", *arguments], env=variables, catch_exceptions=False)
        for secret in ("canary", PLAIN, HASHED, text_of(KEY), text_of(OUR_KEY)):
            self.assertNotIn(secret, result.output + result.stderr)
        return result

    def worked(self, *arguments: str, **env: Any) -> Any:
        result = self.run_("--json", *arguments, **env)
        self.assertEqual(result.exit_code, 0, result.output + result.stderr)
        return json.loads(result.stdout)

    def failed(self, code: int, *arguments: str, **env: Any) -> str:
        result = self.run_(*arguments, **env)
        self.assertEqual(result.exit_code, code, result.output + result.stderr)
        return result.stderr

    def tallies(self, value: Any) -> Any:
        names = ("projects", "tokens", "audit_events")
        return [tuple(value[name][each] for each in ("found", "moved", "there", "left_out")) for name in names]

    def test_everything(self) -> None:
        """First it is shown, then moved, then there; the same tokens are tokens then, of the same projects."""
        shown = self.worked(self.path)
        self.assertEqual((shown["written"], os.path.exists(self.target)), (False, False))
        moved = self.worked(self.path, "--yes")
        self.assertEqual(self.tallies(moved), self.tallies(shown))
        self.assertEqual(self.tallies(moved), [(3, 3, 0, 0), (4, 4, 0, 0), (1, 1, 0, 0)])
        self.assertEqual(stat.S_IMODE(os.stat(self.target).st_mode), 0o600)
        self.assertEqual(self.tallies(self.worked(self.path)), [(3, 0, 3, 0), (4, 0, 4, 0), (1, 0, 1, 0)])
        before = self.everything()
        self.assertEqual(self.tallies(self.worked(self.path, "--yes")), [(3, 0, 3, 0), (4, 0, 4, 0), (1, 0, 1, 0)])
        self.assertEqual(self.everything(), before)
        database = opened(self, self.target)
        for secret, number in ((PLAIN, 11), (HASHED, 12)):
            with row(secret):
                found = self.successResultOf(database.tokens.by_hash(token_hash(secret.encode())))
                self.assertEqual((found.id, found.project_id, found.is_active), (uuid(number), uuid(1), True))
        self.assertEqual((found.request_count, found.max_requests, found.cache_hit_count), (7, 9, 3))
        self.assertFalse(self.successResultOf(database.tokens.get(uuid(13))).is_active)
        keys = {each.name: dict(each.api_keys) for each in self.successResultOf(database.projects.list())}
        self.assertEqual(keys["sealed"], {"openai": (UPSTREAM_KEY,)})
        self.assertEqual(keys["日本 é 🎉"], {"anthropic": ("sk-ant-canary-in-clear",)})
        self.assertEqual(keys["over"], {})

    def everything(self) -> dict[str, list[Any]]:
        database = opened(self, self.target)
        found = {}
        for table in ("projects", "project_keys", "tokens", "audit_events", "audit_chains"):
            query = f"SELECT * FROM {table} ORDER BY 1"
            read = database.read(lambda connection, query=query: connection.exec_driver_sql(query).all())
            found[table] = [tuple(each) for each in self.successResultOf(read)]
        return found

    def test_audit(self) -> None:
        """Records keep their ids and times, the import is one itself, and the chain is in order."""
        self.worked(self.path, "--yes")
        trail = AuditTrail(opened(self, self.target))
        kept = self.successResultOf(trail.get(uuid(21))).record
        self.assertEqual((kept.action, kept.method, kept.details), ("token.create", "POST", {"imported": True, "n": 1}))
        self.assertEqual(kept.timestamp, 1_767_323_045_678_901)
        noted = self.successResultOf(trail.page(9, None, AuditFilter(action="database.import"))).items[0].record
        self.assertEqual(noted.details["moved"], {"projects": 3, "tokens": 4, "audit_events": 1})
        env = {**_CLEARED, **self.env, "AUDIT_LOG_FILE": "none"}
        result = CliRunner().invoke(cli, ["audit", "verify"], env=env, catch_exceptions=False)
        self.assertIn("Everything is in order.", result.output + result.stderr)

    def test_apis(self) -> None:
        """Whose a key is: --api says it, else its shape among the APIs of the configuration, else the default one."""
        config = self.mktemp()
        with open(config, "w") as file:
            file.write(APIS)
        result = self.run_(self.path, "--yes", "--config", config)
        self.assertIn("looks like one of openai, and no API leads there", result.output)
        self.assertEqual(self.apis(), {"日本 é 🎉": ["claude"], "sealed": [], "over": []})
        self.target = self.env["DATABASE_PATH"] = self.mktemp()
        self.worked(self.path, "--yes", "--config", config, "--api", "local")
        self.assertEqual(self.apis(), {"日本 é 🎉": ["local"], "sealed": ["local"], "over": []})
        self.assertIn("no API 'x'", self.failed(2, self.path, "--config", config, "--api", "x"))

    def apis(self) -> dict[str, list[str]]:
        projects = self.successResultOf(opened(self, self.target).projects.list())
        return {each.name: list(each.api_keys) for each in projects}

    def test_left_out(self) -> None:
        """What has no place is listed with its table, its id and the reason; the rest is moved, and the status is 1."""
        filling = {name: list(each) for name, each in rows().items()}
        filling["projects"].append(dict(filling["projects"][1], id="odd", name="\x1b[31m"))
        filling["tokens"].append(dict(filling["tokens"][1], id=uuid(15), token="canary", project_id="odd"))
        make(path := self.mktemp(), filling)
        result = self.run_(path, "--yes")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("projects odd: invalid name", result.stdout)
        self.assertIn(f"tokens {uuid(15)}: token: expected its SHA-256", result.stdout)
        self.assertEqual(result.stderr, "Error: 2 rows were left out\n")
        value = json.loads(self.run_(path, "--yes", "--json").stdout)
        self.assertEqual(self.tallies(value), [(4, 0, 3, 1), (5, 0, 4, 1), (1, 0, 1, 0)])
        self.assertEqual(value["problems"][0]["id"], "odd")

    def test_keys(self) -> None:
        """Its key comes from a file too, or is ours; a wrong one, or none, moves nothing and says what is needed."""
        for key in (text_of(bytes(32)), None):
            words = self.failed(1, self.path, "--yes", IMPORT_ENCRYPTION_KEY=key)
            self.assertIn(f"database {self.path}: ", words)
            self.assertIn("opens none of its 1 encrypted keys", words)
        words = self.failed(1, self.path, "--yes", IMPORT_ENCRYPTION_KEY=None, ENCRYPTION_KEY=None)
        self.assertIn("no key is given for any of its 1 encrypted keys", words)
        words = self.failed(1, self.path, IMPORT_ENCRYPTION_KEY="canary")
        self.assertIn("IMPORT_ENCRYPTION_KEY: expected base64 of 32 bytes", words)
        with open(file := self.mktemp(), "w") as opened_file:
            opened_file.write(text_of(KEY) + "\n")
        self.worked(self.path, IMPORT_ENCRYPTION_KEY=None, IMPORT_ENCRYPTION_KEY_FILE=file)
        self.worked(self.path, "--yes", IMPORT_ENCRYPTION_KEY=None, ENCRYPTION_KEY=text_of(KEY))

    def test_other_key_here(self) -> None:
        """Where ours is not the key of the database that is there, nothing is written."""
        opened(self, self.target, key=bytes(32))
        self.assertIn("is not the key that this database is encrypted with", self.failed(1, self.path, "--yes"))

    def test_source(self) -> None:
        """The source is named by argument or variable; what is no database of the original is said, and not made."""
        self.worked(IMPORT_DATABASE_URL=f"sqlite:///{self.path}")
        self.assertIn("IMPORT_DATABASE_URL is needed", self.failed(2))
        absent, diary = self.mktemp(), self.mktemp()
        self.assertIn("there is no such file", self.failed(1, absent))
        self.assertFalse(os.path.exists(absent))
        with open(diary, "w") as file:
            file.write("dear diary " * 500)
        self.assertIn("file is not a database", self.failed(1, diary))
        opened(self, ours := self.mktemp())
        self.assertIn("llmproxy db copy moves it", self.failed(1, ours))
        self.assertIn("name another one", self.failed(2, self.path, "--database", self.path))
        self.assertIn("into memory is gone", self.failed(2, self.path, "--database", ":memory:"))
        self.assertIn("tables of another program", self.failed(1, self.path, "--yes", "--database", self.other()))

    def other(self) -> str:
        make(path := self.mktemp(), {})
        return path

    def test_passwords(self) -> None:
        """A password on the command line is warned of, and shown nowhere."""
        for url in ("postgresql://u:canary@127.0.0.1:1/d", "mysql://u:canary@127.0.0.1:1/d?parseTime=true"):
            words = self.failed(5, url)
            self.assertIn("everybody on this machine can see the password in PATH|URL", words)
            self.assertNotIn("everybody", self.failed(5, IMPORT_DATABASE_URL=url))
        self.failed(5, IMPORT_DATABASE_URL="u:canary@tcp(127.0.0.1:1)/d?parseTime=true")
