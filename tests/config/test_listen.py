"""Where to listen."""

from __future__ import annotations

from twisted.internet.endpoints import serverFromString
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.listen import (
    check_endpoint,
    endpoint_description,
    is_private,
    private_endpoint_description,
    reuse_of,
)


class EndpointDescriptionTests(SynchronousTestCase):
    def test_addresses(self) -> None:
        """LISTEN_ADDR of the reference opens the port that it opened there."""
        table = {
            ":8080": "tcp:8080",
            "127.0.0.1:9000": "tcp:9000:interface=127.0.0.1",
            "localhost:8080": "tcp:8080:interface=127.0.0.1",
            "[::1]:8080": "tcp6:8080:interface=\\:\\:1",
            "[::]:80": "tcp6:80:interface=\\:\\:",
        }
        for address, description in table.items():
            self.assertEqual(endpoint_description(address), description, (address, description))

    def test_twisted_understands_them(self) -> None:
        """What comes out opens a port of that number at that address."""
        reactor = MemoryReactorClock()
        serverFromString(reactor, endpoint_description("[::1]:8080")).listen(object())
        serverFromString(reactor, endpoint_description("127.0.0.1:81")).listen(object())
        self.assertEqual([(p, i) for p, _, _, i in reactor.tcpServers], [(8080, "::1"), (81, "127.0.0.1")])

    def test_descriptions_stay(self) -> None:
        """Any endpoint of Twisted may be given."""
        for text in (
            "tcp:8080",
            "unix:/run/llmproxy.sock",
            "ssl:8443:privateKey=k.pem:certKey=c.pem",
            "fd:domain=INET:3",
        ):
            self.assertEqual(endpoint_description(text), text, text)

    def test_refused(self) -> None:
        """A mistake in an address is told before anything is opened."""
        for text in ("", "8080", ":65536", "1.2.3:80", "[1.2.3.4]:80", "[]:80", "300.1.1.1:80", "[zz]:1"):
            with self.assertRaises(ValueError, msg=text):
                endpoint_description(text)

    def test_checked(self) -> None:
        """A description of what nobody can open is told as soon as it is written down."""
        for text in (
            "tcp:8080",
            "tcp6:80:interface=\\:\\:1",
            "unix:/run/x.sock:mode=600",
            "ssl:8443",
            "systemd:index=0",
        ):
            check_endpoint(text)
        for text in ("nowhere:8080", "tcp:http", "tcp:80:interfce=1"):
            with self.assertRaises(ValueError, msg=text):
                check_endpoint(text)

    def test_reuse(self) -> None:
        """That others may have it too is of ports alone, and yes or no; Twisted reads nothing of it."""
        for text, expected in (
            ("tcp:8080", ("tcp:8080", False)),
            ("tcp:8080:reuse_port=yes", ("tcp:8080", True)),
            ("tcp6:8080:reuse_port=no:interface=\\:\\:1", ("tcp6:8080:interface=\\:\\:1", False)),
            ("tls:8443:interface=127.0.0.1:reuse_port=yes", ("tls:8443:interface=127.0.0.1", True)),
        ):
            self.assertEqual(reuse_of(text), expected, text)
        check_endpoint("tcp:8080:reuse_port=yes")
        for text in (
            "tcp:8080:reuse_port=1",
            "tcp:8080:reuse_port=",
            "unix:/run/x:reuse_port=yes",
            "systemd:reuse_port=no",
        ):
            with self.assertRaises(ValueError, msg=text):
                reuse_of(text)

    def test_this_machine_alone(self) -> None:
        """It is known which endpoints only this machine reaches."""
        for description, private in (
            ("unix:/run/x.sock", True),
            ("tcp:8080:interface=127.0.0.1", True),
            ("tcp:8080:backlog=5:interface=127.0.0.9:x=1", True),
            ("tcp6:8080:interface=\\:\\:1", True),
            ("tcp:8080:interface=localhost", True),
            ("tcp:8080", False),
            ("tcp:8080:interface=0.0.0.0", False),
            ("tcp6:8080:interface=\\:\\:", False),
            ("ssl:8443:privateKey=k:certKey=c", False),
            ("systemd:index=0", False),
        ):
            self.assertEqual(is_private(description), private, description)

    def test_private(self) -> None:
        """A socket for management is its owner's alone, unless it says otherwise."""
        for text, description in (
            ("unix:/run/x.sock", "unix:/run/x.sock:mode=600"),
            ("unix:/run/x.sock:mode=660", "unix:/run/x.sock:mode=660"),
            ("unix:/run/odd\\:mode=1:backlog=5", "unix:/run/odd\\:mode=1:backlog=5:mode=600"),
            (":9000", "tcp:9000"),
            ("tcp:9000", "tcp:9000"),
        ):
            self.assertEqual(private_endpoint_description(text), description, (text, description))
        self.assertRaises(ValueError, private_endpoint_description, "9000")
