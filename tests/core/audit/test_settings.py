"""Where the audit log goes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.units import parse_flag, parse_size
from llmproxy.core.audit.settings import AuditOptions, read_audit_environment


class EnvironmentTests(SynchronousTestCase):
    def read(self, **env: str) -> tuple[AuditOptions | None, list[tuple[str, str]]]:
        return read_audit_environment(env, parse_size, parse_flag)

    def test_defaults(self) -> None:
        """As in the reference: a file in ./data, and the database. It is known that nobody has asked for the file."""
        self.assertEqual(self.read(), (AuditOptions("./data/audit.log", True, True, is_default=True), []))
        self.assertEqual(self.read(AUDIT_LOG_FILE="./data/audit.log")[0], AuditOptions("./data/audit.log"))
        self.assertEqual(self.read(AUDIT_LOG_FILE="-")[0], AuditOptions("-"))
        self.assertEqual(self.read(AUDIT_LOG_FILE=" ", AUDIT_ENABLED=""), self.read())

    def test_said(self) -> None:
        found, problems = self.read(
            AUDIT_LOG_FILE="/var/log/a.log",
            AUDIT_CREATE_DIR="false",
            AUDIT_STORE_IN_DB="0",
            AUDIT_MAX_FILE_SIZE="1MB",
            AUDIT_KEEP_FILES="3",
            AUDIT_FSYNC="always",
            AUDIT_KEEP_ROWS="100000",
        )
        expected = AuditOptions("/var/log/a.log", False, False, 10**6, 3, "always", 100_000)
        self.assertEqual((found, problems), (expected, []))
        self.assertIsNone(self.read(AUDIT_KEEP_ROWS="0")[0].keep_rows)

    def test_none(self) -> None:
        """No file is not no audit log: the database has it still. Without both there is none."""
        self.assertEqual(self.read(AUDIT_LOG_FILE="none")[0], AuditOptions(None))
        self.assertEqual(self.read(AUDIT_LOG_FILE="none", AUDIT_STORE_IN_DB="false"), (None, []))
        self.assertEqual(self.read(AUDIT_ENABLED="false"), (None, []))

    def test_wrong(self) -> None:
        """A value that is not understood is an error that names the variable, not another value."""
        for name, value in (
            ("AUDIT_ENABLED", "maybe"),
            ("AUDIT_CREATE_DIR", "maybe"),
            ("AUDIT_STORE_IN_DB", "2"),
            ("AUDIT_MAX_FILE_SIZE", "10"),
            ("AUDIT_MAX_FILE_SIZE", "large"),
            ("AUDIT_KEEP_FILES", "0"),
            ("AUDIT_KEEP_FILES", "-1"),
            ("AUDIT_KEEP_FILES", "99999999999"),
            ("AUDIT_KEEP_ROWS", "999"),
            ("AUDIT_KEEP_ROWS", "-1"),
            ("AUDIT_KEEP_ROWS", "1e6"),
            ("AUDIT_KEEP_ROWS", "9" * 30),
            ("AUDIT_FSYNC", "often"),
        ):
            self.assertEqual([each for each, _ in self.read(**{name: value})[1]], [name], value)
