"""C{llmproxy upgrade}."""

from __future__ import annotations

import os
import signal

from ..web.manage.test_config import ConfigManageTestCase
from .api import CommandTestCase


class UpgradeTests(ConfigManageTestCase, CommandTestCase):
    def test_asked(self) -> None:
        """The proxy is asked; where it cannot, that is a conflict."""
        self.assertIn("the log of the proxy says", self.invoke("upgrade").stdout)
        self.can_upgrade = False
        self.assertEqual(self.invoke("upgrade").exit_code, 6)

    def test_pidfile(self) -> None:
        """A process is signalled where a file names it."""
        sent: list[object] = []
        self.patch(os, "kill", lambda pid, number: sent.append((pid, number)))
        path = self.mktemp()
        with open(path, "w") as file:
            file.write("4242\n")
        self.assertIn("process 4242 was asked", self.invoke("upgrade", "--pidfile", path).stdout)
        self.assertEqual(sent, [(4242, signal.SIGUSR2)])
        self.assertEqual(self.invoke("upgrade", "--pidfile", "/no/where").exit_code, 2)
