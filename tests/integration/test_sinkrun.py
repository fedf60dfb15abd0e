"""Sinks of events while their receivers are killed and paused; C{python -m tests.sinkrun} is the long run."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.sinkrun.run import Scene, Stage, problems


class SinkRunTests(SynchronousTestCase):
    def test_receivers(self) -> None:
        """Every event arrives at least once, poisoned ones in the dead letters, and none is lost."""
        self.played(Scene(events=1500, rate=1000, seed=4))

    def test_killed(self) -> None:
        """A sender that is killed loses at most what was in its memory."""
        self.played(Scene(events=1500, rate=1000, seed=5, kills=True))

    def played(self, scene: Scene) -> None:
        directory = os.path.abspath(self.mktemp())
        os.mkdir(directory)
        self.assertEqual(problems(scene, Stage(scene, directory).play()), [])
