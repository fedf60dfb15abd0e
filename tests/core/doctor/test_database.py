"""The verdict on a database."""

from __future__ import annotations

from attrs import evolve

from llmproxy.core.doctor.database import DatabaseFacts, FileFacts, free_space, judge_database

from .verdicts import VerdictTestCase

GOOD = DatabaseFacts("database x", answered_in=0.001, revision="0015", needs="0015", works=True)
FILE = FileFacts("x.db", mode=0o600, directory_mode=0o700, free=2**40, size=1, kind="ext4")


class DatabaseTests(VerdictTestCase):
    def test_server(self) -> None:
        answers = ("ok", "answers in 1 ms")
        self.judged(
            judge_database,
            [
                (DatabaseFacts(""), [("skipped", "no database")]),
                (GOOD, [answers, ("ok", "up to date (revision 0015)")]),
                (evolve(GOOD, error="connection refused"), [("fault", "does not answer: connection refused")]),
                (evolve(GOOD, answered_in=0.4), [("warning", "answers in 400 ms"), ("ok", "up to date")]),
                (evolve(GOOD, revision=None, works=False), [answers, ("note", "no tables yet")]),
                (evolve(GOOD, revision=None, foreign=True), [answers, ("fault", "another program")]),
                (evolve(GOOD, revision="0012", works=False), [answers, ("warning", "is revision 0012")]),
                (evolve(GOOD, revision="0019", is_later=True), [answers, ("note", "later release's")]),
                (evolve(GOOD, revision="0019", is_later=True, works=False), [answers, ("fault", "newer")]),
                (
                    evolve(GOOD, most_connections=20, wanted=44),
                    [answers, ("ok", "up to date"), ("warning", "takes 20 connections, all workers may want 44")],
                ),
                (evolve(GOOD, most_connections=100, wanted=44), [answers, ("ok", "up to date")]),
            ],
        )

    def test_file(self) -> None:
        """A file is looked at by its mode, its directory, its room and its file system."""
        rest = [("ok", "answers in"), ("ok", "up to date")]
        room = ("ok", "1.0 TiB are free")
        for changes, expected in (
            ({}, [room, *rest]),
            ({"mode": 0o644}, [("warning", "mode 0644"), room, *rest]),
            ({"directory_mode": 0o777}, [("fault", "everybody on the machine can replace it"), room, *rest]),
            ({"directory_mode": 0o1777}, [room, *rest]),
            ({"kind": "nfs4"}, [("fault", "is on a network (nfs4)"), room, *rest]),
            ({"log": 2**30}, [("warning", "has grown to 1.0 GiB"), room, *rest]),
            ({"writable": False}, [("fault", "cannot write it"), room, *rest]),
            ({"free": 1024}, [("fault", "1.0 KiB are free"), *rest]),
            ({"exists": False, "mode": None}, [("note", "the first start makes it"), room]),
            ({"exists": False, "writable": False, "mode": None}, [("fault", "cannot be made"), room]),
        ):
            self.judged(judge_database, [(evolve(GOOD, file=evolve(FILE, **changes)), expected)])

    def test_free_space(self) -> None:
        """A full disk is a fault, one that is nearly full a warning."""
        levels = [free_space("/x", free).level for free in (2**20, 2**29, 2**31)]
        self.assertEqual(levels, ["fault", "warning", "ok"])
