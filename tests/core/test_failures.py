"""Who has failed too often lately."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.failures import Failures


class FailuresTests(SynchronousTestCase):
    def test_burst(self) -> None:
        """Some failures are free; then one is for each interval."""
        failures = Failures(burst=3, forgiven_after=6.0)
        for _ in range(3):
            self.assertEqual(failures.wait("a", 100.0), 0.0)
            failures.failed("a", 100.0)
        self.assertEqual(failures.wait("a", 100.0), 6.0)
        self.assertEqual(failures.wait("a", 104.0), 2.0)
        self.assertEqual(failures.wait("b", 100.0), 0.0)
        self.assertEqual(failures.wait("a", 106.0), 0.0)
        failures.failed("a", 106.0)
        self.assertEqual(failures.wait("a", 106.0), 6.0)

    def test_forgiven(self) -> None:
        """After long enough all is forgiven, and no more than that."""
        failures = Failures(burst=2, forgiven_after=6.0)
        failures.failed("a", 0.0)
        failures.failed("a", 1000.0)
        self.assertEqual(failures.wait("a", 1000.0), 0.0)
        failures.failed("a", 1000.0)
        self.assertEqual(failures.wait("a", 1000.0), 6.0)

    def test_networks(self) -> None:
        """All addresses of an IPv6 network are one; an IPv4 address stays itself, however it is written."""
        failures = Failures(burst=1)
        failures.failed("2001:db8:1:2::1", 0.0)
        failures.failed("::ffff:192.0.2.1", 0.0)
        failures.failed("", 0.0)
        for address, same in (
            ("2001:db8:1:2:ffff::9%eth0", True),
            ("2001:db8:1:3::1", False),
            ("192.0.2.1", True),
            ("192.0.2.2", False),
            ("", True),
        ):
            self.assertEqual(failures.wait(address, 0.0) > 0, same, address)

    def test_bounded(self) -> None:
        """However many addresses fail, only so many are remembered."""
        failures = Failures(burst=1, max_addresses=10)
        for number in range(1000):
            failures.failed(f"10.0.{number // 256}.{number % 256}", 0.0)
        self.assertEqual(len(failures._until), 10)
