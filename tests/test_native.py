"""Words to mypyc: nothing to Python."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.native import mypyc_attr


class NativeTests(SynchronousTestCase):
    def test_nothing(self) -> None:
        """A class stays what it is."""

        class Some:
            """One."""

        self.assertIs(mypyc_attr(allow_interpreted_subclasses=True)(Some), Some)
