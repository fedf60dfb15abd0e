"""The contracts of the stores, on each of the three databases."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
from alembic.script import ScriptDirectory
from sqlalchemy import text
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.message import Project
from llmproxy.store import usageranking
from llmproxy.store.agentsettings import AgentSettingsStore
from llmproxy.store.backend import locate
from llmproxy.store.database import Database
from llmproxy.store.migrate import config, migrate, revision_of
from llmproxy.store.schema import HEAD
from llmproxy.store.usagerecords import UsageRecords

from ..contracts.admin_store import AdminStoreContract, IdempotencyStoreContract, SessionStoreContract
from ..contracts.audit import AuditContract
from ..contracts.auditcuts import AuditCutsContract
from ..contracts.device_store import DeviceStoreContract
from ..contracts.endedtokens import EndedTokensContract
from ..contracts.people_store import PeopleStoreContract
from ..contracts.project_store import ProjectStoreContract
from ..contracts.repricing import RepricingContract
from ..contracts.token_store import TokenStoreContract
from ..contracts.usage import UsageContract
from ..contracts.usagerecords import UsageRecordsContract, expected_of, some_entries
from ..contracts.usagereports import UsageReportsContract
from ..contracts.usageretention import UsageRetentionContract
from ..contracts.writtenuses import WrittenUsesContract
from ..store.databases import clock_at, project
from .databases import KINDS, clean_database, new_database, opened_at


class _Opens:
    """Says how to C{open} a database for a contract."""

    kind: str
    clock: Any = None

    def open(self) -> Database:
        return opened_at(self, clean_database(self, self.kind), clock=self.clock)


class _Postgresql(_Opens):
    kind = "postgresql"


class _Mysql(_Opens):
    kind = "mysql"


class InterruptedTests(SynchronousTestCase):
    def test_upgraded_again(self) -> None:
        """
        An upgrade of MySQL that was interrupted anywhere is finished by the next start: it commits each change of
        a table by itself, so every revision has to find some of its work done.
        """
        location = locate(new_database(self, "mysql"), 1)
        engine = location.engine()
        self.addCleanup(engine.dispose)
        with engine.begin() as connection:
            migrate(connection)
        names = [script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()]
        for name in names[1:]:
            with engine.begin() as connection:
                connection.execute(text("UPDATE alembic_version SET version_num = :name"), {"name": name})
            with engine.begin() as connection:
                migrate(connection)
                self.assertEqual(revision_of(connection), HEAD, name)


class MergedKeysTests(SynchronousTestCase):
    """Keys of one project, changed by several processes at once."""

    ROUNDS = 20
    APIS = ("openai", "anthropic", "gemini", "groq")

    def test_merged(self) -> None:
        """Each change is of one API, or of one that all change, and none takes another one's back."""
        for kind in KINDS:
            url = new_database(self, kind)
            databases = [opened_at(self, url) for _ in self.APIS]
            self.successResultOf(databases[0].projects.create(project("p1", api_keys={})))
            self.successResultOf(databases[0].projects.create(project("p2", api_keys={})))

            def change(at: int, databases: Any = databases) -> list[Any]:
                made: list[Any] = []
                for number in range(self.ROUNDS):
                    texts = tuple(f"{at}-{number}-{each}" for each in range(number % 3 + 1))
                    keys = {self.APIS[at]: texts, "shared": texts}
                    databases[at].projects.update(f"p{at % 2 + 1}", api_keys=keys).addBoth(made.append)
                return made

            with ThreadPoolExecutor(len(self.APIS)) as threads:
                made = [each for one in threads.map(change, range(len(self.APIS))) for each in one]
            self.assertEqual([each for each in made if not isinstance(each, Project)], [], kind)
            for name, changed_by in (("p1", (0, 2)), ("p2", (1, 3))):
                keys = dict(self.successResultOf(databases[0].projects.get(name)).api_keys)
                shared, last = keys.pop("shared"), self.ROUNDS - 1
                texts = [tuple(f"{at}-{last}-{each}" for each in range(last % 3 + 1)) for at in changed_by]
                self.assertEqual(
                    keys, {self.APIS[at]: text for at, text in zip(changed_by, texts, strict=True)}, (name, changed_by)
                )
                self.assertIn(shared, texts)


class AgentSettingsTests(SynchronousTestCase):
    """Managed settings that several machines begin to serve at once."""

    ROUNDS = 10

    def test_once(self) -> None:
        """Of all that say the same at the same moment one has changed it, and each change is a version."""
        for kind in KINDS:
            url = new_database(self, kind)
            stores = [AgentSettingsStore(clock_at(), opened_at(self, url)) for _ in range(4)]
            for number in range(self.ROUNDS):
                versions = {"eng, ops": f"{number}", "*": "same"}
                contents = {"eng, ops": '{"model":"' + "ü" * 40_000 + '"}', "*": "{}"}

                def note(store: AgentSettingsStore, versions: Any = versions, contents: Any = contents) -> list[Any]:
                    made: list[Any] = []
                    Deferred.fromCoroutine(store.note(versions, contents)).addBoth(made.append)
                    return made

                with ThreadPoolExecutor(len(stores)) as threads:
                    found = [list(each) for [each] in threads.map(note, stores)]
                changes = [each.after for one in found for each in one]
                expected = [f"{number}"] if number else ["0", "same"]
                self.assertEqual(sorted(changes), expected, (kind, number))
            kept = self.successResultOf(stores[0].versions(100))
            self.assertEqual(len(kept), self.ROUNDS + 1, kind)


class PostgresqlProjectStoreTests(_Postgresql, ProjectStoreContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlProjectStoreTests(_Mysql, ProjectStoreContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlTokenStoreTests(_Postgresql, TokenStoreContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlTokenStoreTests(_Mysql, TokenStoreContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlUsageTests(_Postgresql, UsageContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlUsageTests(_Mysql, UsageContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlAdminStoreTests(_Postgresql, AdminStoreContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlAdminStoreTests(_Mysql, AdminStoreContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlSessionStoreTests(_Postgresql, SessionStoreContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlSessionStoreTests(_Mysql, SessionStoreContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlPeopleStoreTests(_Postgresql, PeopleStoreContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlPeopleStoreTests(_Mysql, PeopleStoreContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlDeviceStoreTests(_Postgresql, DeviceStoreContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlDeviceStoreTests(_Mysql, DeviceStoreContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlIdempotencyStoreTests(_Postgresql, IdempotencyStoreContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlIdempotencyStoreTests(_Mysql, IdempotencyStoreContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlAuditCutsTests(_Postgresql, AuditCutsContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlAuditCutsTests(_Mysql, AuditCutsContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlEndedTokensTests(_Postgresql, EndedTokensContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlEndedTokensTests(_Mysql, EndedTokensContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlAuditTests(_Postgresql, AuditContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlAuditTests(_Mysql, AuditContract, SynchronousTestCase):
    """MariaDB."""


class SettlersTests(SynchronousTestCase):
    """Entries that several processes settle at once."""

    SETTLERS = 4

    def test_once(self) -> None:
        """Each counts once, whoever else has it, and none waits for another for ever."""
        entries = some_entries(11, 400)
        answered = [msgspec.structs.replace(each, id=f"k{at}", status=200) for at, each in enumerate(entries[:40])]
        for kind in KINDS:
            url = new_database(self, kind)
            databases = [opened_at(self, url) for _ in range(self.SETTLERS)]
            self.successResultOf(UsageRecords(clock_at(), databases[0]).settle(answered))

            def settle(at: int, databases: Any = databases) -> list[Any]:
                chance, records = random.Random(at), UsageRecords(clock_at(), databases[at])
                made: list[Any] = []
                for _ in range(8):
                    records.settle(chance.sample(entries, 100)).addBoth(made.append)
                return made

            with ThreadPoolExecutor(self.SETTLERS) as threads:
                made = [each for one in threads.map(settle, range(self.SETTLERS)) for each in one]
            self.assertEqual([each for each in made if not isinstance(each, int)], [], kind)
            left = self.successResultOf(UsageRecords(clock_at(), databases[0]).settle(entries))
            self.assertEqual(sum(made) + left, len(entries), kind)
            contract = UsageRecordsContract()
            contract.database, contract.successResultOf = databases[0], self.successResultOf  # type: ignore[attr-defined]
            self.assertEqual(contract.rolled(), expected_of(answered + entries), kind)


class PostgresqlWrittenUsesTests(_Postgresql, WrittenUsesContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlWrittenUsesTests(_Mysql, WrittenUsesContract, SynchronousTestCase):
    """MySQL or MariaDB."""


class PostgresqlRepricingTests(_Postgresql, RepricingContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlRepricingTests(_Mysql, RepricingContract, SynchronousTestCase):
    """MySQL or MariaDB."""


class PostgresqlUsageRecordsTests(_Postgresql, UsageRecordsContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlUsageRecordsTests(_Mysql, UsageRecordsContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlUsageReportsTests(_Postgresql, UsageReportsContract, SynchronousTestCase):
    """PostgreSQL."""


class PostgresqlRankedReportsTests(_Postgresql, UsageReportsContract, SynchronousTestCase):
    """PostgreSQL, no report being short enough for a plain statement."""

    def setUp(self) -> None:
        self.patch(usageranking, "PLAIN", -1)
        UsageReportsContract.setUp(self)


class PostgresqlReportsInTwoTests(PostgresqlRankedReportsTests):
    """PostgreSQL, every report being ranked first, and what its rows have besides added up then."""

    def setUp(self) -> None:
        self.patch(usageranking._PostgresqlRanking, "_is_quick", lambda ranking, *_: not ranking._columns)
        super().setUp()


class MysqlUsageReportsTests(_Mysql, UsageReportsContract, SynchronousTestCase):
    """MariaDB."""


class PostgresqlUsageRetentionTests(_Postgresql, UsageRetentionContract, SynchronousTestCase):
    """PostgreSQL."""


class MysqlUsageRetentionTests(_Mysql, UsageRetentionContract, SynchronousTestCase):
    """MariaDB."""
