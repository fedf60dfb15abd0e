"""A look at the limits of the system."""

from __future__ import annotations

import os
from pathlib import Path

from llmproxy.doctor.look_system import look_at_system, memory

from ..tables import row
from .subjects import SubjectTestCase

MEMINFO = "MemTotal:  8000 kB\nMemFree: 1 kB\nMemAvailable:  3000 kB\n"


class SystemTests(SubjectTestCase):
    def group(self, most: str, current: str = "") -> Path:
        self.file("memory.max", most)
        self.file("memory.current", current)
        return Path(self.directory)

    def test_memory(self) -> None:
        """Of the machine, or of a container that has fewer."""
        proc = Path(self.file("meminfo", MEMINFO))
        none = Path(self.directory) / "none"
        for group, expected in (
            (none, (8000 * 1024, 3000 * 1024)),
            (self.group("max\n"), (8000 * 1024, 3000 * 1024)),
        ):
            with row(group):
                self.assertEqual(memory(proc, group), expected)
        self.assertEqual(memory(proc, self.group("4096000\n", "4000000\n")), (4096000, 96000))
        self.assertEqual(memory(proc, self.group("4096000\n", "1\n")), (4096000, 3000 * 1024))
        self.assertEqual(memory(none, none), (None, None))
        self.assertEqual(memory(none, self.group("4096\n", "96\n")), (4096, 4000))

    def test_disks(self) -> None:
        """Where the ledger, the spools, the audit log and the access log are written."""
        place = os.path.join(self.directory, "place")
        os.mkdir(place, 0o750)
        facts = look_at_system(
            self.subject(
                f"ledger: {{directory: '{place}'}}\n"
                f"sinks: [{{name: hook, type: http, url: 'https://h/x', directory: '{self.directory}/new/events'}}]",
                options={"access-log": f"{self.directory}/access.log"},
                env={"AUDIT_LOG_FILE": f"{self.directory}/audit.log"},
                workers=3,
            )
        )
        found = {each.use: (each.path, each.exists, each.writable, each.mode) for each in facts.disks}
        self.assertEqual(
            found,
            {
                "ledger": (place, True, True, 0o750),
                "spools of sinks": (f"{self.directory}/new/events", False, True, None),
                "audit log": (self.directory, True, True, None),
                "access log": (self.directory, True, True, None),
            },
        )
        self.assertTrue(all(each.free for each in facts.disks))
        self.assertEqual((facts.workers, facts.is_root), (3, os.geteuid() == 0))

    def test_nothing_known(self) -> None:
        """A configuration that is wrong has no disks, and limits all the same."""
        facts = look_at_system(self.subject("surprise: 1"))
        self.assertEqual(facts.disks, ())
        self.assertGreater(facts.processors, 0)
