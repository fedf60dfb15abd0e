"""Tests for L{llmproxy.app.renewal}."""

from __future__ import annotations

import shutil
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.app.renewal import CertificateRenewal
from llmproxy.app.watching import EVERY
from llmproxy.config.tls import CertificateConfig, TlsConfig
from llmproxy.errors import ConfigError
from llmproxy.net.servertls import ServerTls


class Contexts:
    certificates = ()


class Certificates:
    """@ivar used: what is served, in its order."""

    def __init__(self, path: str) -> None:
        self.tls = ServerTls(((path, path),))
        self.listener = ("--listen", "tls:443")
        self.good = True
        self.used: list[Any] = []

    def read(self) -> Any:
        if not self.good:
            raise ConfigError("tls: not good")
        return Contexts()

    def use(self, contexts: Any) -> None:
        self.used.append(contexts)


class RenewalTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.path = self.mktemp()
        self.write("one")
        self.certificates = [Certificates(self.path), Certificates(self.path)]
        self.renewal = CertificateRenewal(self.clock, self.certificates)  # type: ignore[arg-type]

    def write(self, text: str) -> None:
        with open(self.path, "w") as file:
            file.write(text)

    def used(self) -> list[int]:
        return [len(each.used) for each in self.certificates]

    def test_another_configuration(self) -> None:
        """What it says is read and served, and watched from then on; where it says nothing, all stays as it was."""
        self.renewal.start()
        other = self.mktemp()
        shutil.copy(self.path, other)
        self.successResultOf(self.renewal.take(TlsConfig((CertificateConfig(other, other),), other)))
        expected = ServerTls(((other, other),), other, "required")
        self.assertEqual([each.tls for each in self.certificates], [expected] * 2)
        self.assertEqual(self.used(), [1, 1])
        self.clock.pump([EVERY] * 3)
        before = self.used()
        with open(other, "w") as file:
            file.write("longer than it was")
        self.clock.pump([EVERY] * 4)
        self.assertEqual(self.used(), [each + 1 for each in before])
        self.successResultOf(self.renewal.take(TlsConfig()))
        self.assertEqual([each.tls for each in self.certificates], [expected] * 2)
        self.renewal.stop()

    def test_watched(self) -> None:
        """A file that changes is read, once; nothing is left on the clock at the end."""
        self.renewal.start()
        self.clock.pump([EVERY] * 3)
        self.assertEqual(self.used(), [0, 0])
        self.write("longer")
        self.clock.pump([EVERY] * 4)
        self.assertEqual(self.used(), [1, 1])
        self.renewal.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_all_or_none(self) -> None:
        """Where one of them is not good, all stay as they were: a certificate and its key are written one by one."""
        self.certificates[1].good = False
        self.successResultOf(self.renewal.renew())
        self.assertEqual(self.used(), [0, 0])
        self.certificates[1].good = True
        self.successResultOf(self.renewal.renew())
        self.assertEqual(self.used(), [1, 1])

    def test_nothing(self) -> None:
        """Without TLS nothing is looked at."""
        renewal = CertificateRenewal(self.clock, [])
        renewal.start()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        renewal.stop()
