"""The verdict on the limits of the system."""

from __future__ import annotations

from attrs import evolve

from llmproxy.core.doctor.system import DiskFacts, SystemFacts, judge_system

from .verdicts import VerdictTestCase

GIB = 2**30
GOOD = SystemFacts(65536, 10_000, 2, 8 * GIB, 4 * GIB, GIB // 4, 2)
DISK = DiskFacts("ledger", "/data/ledger", mode=0o700, free=100 * GIB, files_left=0.9)


class SystemTests(VerdictTestCase):
    def test_table(self) -> None:
        files, memory = ("ok", "open files: 65536"), ("ok", "memory: 8.0 GiB, of which 2 workers may want 812 MiB")
        self.judged(
            judge_system,
            [
                (GOOD, [files, memory]),
                (evolve(GOOD, descriptors=None), [("ok", "without limit"), memory]),
                (evolve(GOOD, descriptors=1024), [("warning", "enough for 464 clients"), memory]),
                (evolve(GOOD, descriptors=20_000), [("note", "limits.connections is 10000"), memory]),
                (evolve(GOOD, connections=None), [("note", "limits.connections is without limit"), memory]),
                (evolve(GOOD, memory=None, available=None), [files]),
                (evolve(GOOD, memory=GIB // 2), [files, ("warning", "memory: 512 MiB")]),
                (evolve(GOOD, available=2**20), [files, memory, ("warning", "only 1.0 MiB are free")]),
                (evolve(GOOD, workers=8, memory=None), [files, ("warning", "8 workers share 2 processors")]),
                (evolve(GOOD, is_root=True), [files, memory, ("note", "root")]),
            ],
        )

    def test_disks(self) -> None:
        files, room = ("ok", "open files"), ("ok", "ledger: /data/ledger: 100 GiB are free")
        for changes, expected in (
            ({}, [room]),
            ({"writable": False}, [("fault", "cannot be written by this user")]),
            ({"writable": False, "exists": False}, [("fault", "cannot be made by this user")]),
            ({"mode": 0o755}, [("warning", "can look into it (mode 0755)"), room]),
            ({"mode": None}, [room]),
            ({"files_left": 0.001}, [("warning", "hardly any more files"), room]),
            ({"free": 0}, [("fault", "0 bytes are free")]),
        ):
            facts = evolve(GOOD, memory=None, disks=(evolve(DISK, **changes),))
            self.judged(judge_system, [(facts, [files, *expected])])
