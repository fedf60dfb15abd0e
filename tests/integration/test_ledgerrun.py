"""A small run of L{tests.ledgerrun}: exchanges through a real proxy whose processes are killed."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from ..ledgerrun.run import Scene, played
from .databases import server

SMALL = Scene(count=800, seed=7, between=0.1, whole_of=4, kills=3)
SHARED = Scene(count=300, seed=8, between=0.3, whole_of=5, proxies=2, kills=3)
FOUR = Scene(count=300, seed=9, workers=4, between=0.3, whole_of=8, kills=3)


class LedgerRunTests(SynchronousTestCase):
    def play(self, scene: Scene, kind: str) -> None:
        directory = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(directory, "data"))
        url = f"sqlite:///{directory}/data/llmproxy.db" if kind == "sqlite" else server(kind).new_database()
        outcome = played(scene, directory, url)
        self.assertEqual((outcome.problems, outcome.left), ([], []))
        self.assertGreaterEqual(outcome.worker_kills + outcome.proxy_kills, scene.kills)
        self.assertGreater(outcome.figures.complete, scene.count // 4)

    def test_small(self) -> None:
        """What clients and upstream saw is what the database says, once each, whatever was killed when."""
        self.play(SMALL, "sqlite")

    def test_four_workers(self) -> None:
        """So it is with more workers than processors."""
        self.play(FOUR, "sqlite")

    def test_two_proxies(self) -> None:
        """And with two proxies on one database: with PostgreSQL as two machines, whose files only they can see."""
        self.play(SHARED, "postgresql")

    def test_two_proxies_on_a_file(self) -> None:
        """Beside a file of SQLite both have their ledger in one directory: each settles what the other left behind."""
        self.play(SHARED, "sqlite")
