"""What starting needed and serving does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.gctuning import Mapping, give_back, unchanged

ROOT = Path(__file__).resolve().parent.parent

SMAPS = """\
7f0000000000-7f0000004000 {permissions} 00001000 fe:00 1234                       {path}
Size:                 16 kB
KernelPageSize:        4 kB
Rss:                  {resident} kB
Pss:                   2 kB
Private_Dirty:         0 kB
Anonymous:            {own} kB
VmFlags: rd ex mr mw me
"""

SCRIPT = """
import hashlib, json, sqlite3, ssl, sys
from OpenSSL import SSL
from llmproxy.app.gctuning import give_back

def of_files():
    with open("/proc/self/status") as status:
        (found,) = (int(line.split()[1]) for line in status if line.startswith("RssFile"))
    return found

before = of_files()
give_back()
after = of_files()
SSL.Context(SSL.TLS_CLIENT_METHOD)
(value,) = sqlite3.connect(":memory:").execute("select 6 * 7").fetchone()
print(before, after, value, hashlib.sha256(b"").hexdigest()[:8])
"""


def smaps(permissions: str = "r-xp", path: str = "/usr/lib/a b.so", resident: int = 8, own: int = 0) -> list[str]:
    text = SMAPS.format(permissions=permissions, path=path, resident=resident, own=own)
    return text.splitlines(keepends=True)


class UnchangedTests(SynchronousTestCase):
    def test_library(self) -> None:
        """Code and constants of a library are what its file has, wherever in the list they stand."""
        mapping = Mapping(0x7F0000000000, 0x4000, "/usr/lib/a b.so")
        self.assertEqual(unchanged(smaps()), [mapping])
        self.assertEqual(unchanged([*smaps(path="", permissions="rw-p"), *smaps("r--p"), *smaps(own=4)]), [mapping])

    def test_what_would_be_lost(self) -> None:
        """What was written to, or can be, or belongs to others too, or is of no file, stays."""
        kept = [
            smaps(own=4),
            smaps("rw-p"),
            smaps("rwxp"),
            smaps("---p"),
            smaps("r--s"),
            smaps(path="[vdso]"),
            smaps(path=""),
        ]
        for lines in kept:
            self.assertEqual(unchanged(lines), [], lines[0])

    def test_nothing_in_memory(self) -> None:
        """The system is not asked for what it has already."""
        self.assertEqual(unchanged(smaps(resident=0)), [])

    def test_system_that_does_not_say(self) -> None:
        """Where it is not said whether pages were written to, they stay."""
        self.assertEqual(unchanged([line for line in smaps() if not line.startswith("Anonymous")]), [])


class GiveBackTests(SynchronousTestCase):
    def test_memory(self) -> None:
        """A process has less than half of the pages of its libraries left, and all of them work as before."""
        ended = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True)
        before, after, *works = ended.stdout.split()
        self.assertEqual(works, ["42", "e3b0c442"])
        self.assertLess(int(after), int(before) / 2)

    if not sys.platform.startswith("linux"):
        test_memory.skip = "Linux can do it"  # type: ignore[attr-defined]

    def test_other_systems(self) -> None:
        """Where the system tells nothing of it, starting goes on."""
        give_back(self.mktemp())
