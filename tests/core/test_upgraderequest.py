"""Tests for L{llmproxy.core.upgraderequest}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.upgraderequest import agreed, asked_for, switching, upgrade_required

ASKED = [
    # Connection, Upgrade, section, what is passed on
    (b"Upgrade", b"websocket", "9110 7.8", b"websocket"),
    (b"keep-alive, UPGRADE", b"WebSocket", "9110 7.8", b"WebSocket"),
    (b"upgrade", b"foo/2 , websocket", "9110 7.8", b"websocket"),
    (b"upgrade", b"h2c", "9113 3.1", b""),
    (b"upgrade", b"websocket2", "9110 7.8", b""),
    (b"upgrade", b"", "9110 7.8", b""),
    (b"keep-alive", b"websocket", "9110 7.8", b""),
    (b"", b"websocket", "9110 7.8", b""),
]


class SwitchingTests(SynchronousTestCase):
    def test_asked_for(self) -> None:
        """What is asked for is passed on if it is a WebSocket, and if this hop was asked for it."""
        for connection, upgrade, section, protocol in ASKED:
            fields = [(b"Upgrade", upgrade), (b"Connection", connection)]
            self.assertEqual(asked_for(fields), protocol, (connection, upgrade, section))
        self.assertEqual(asked_for([(b"Connection", b"upgrade")]), b"")

    def test_there_and_back(self) -> None:
        """What one hop writes the next one reads."""
        fields = switching(b"websocket")
        self.assertEqual((asked_for(fields), agreed(fields)), (b"websocket", b"websocket"))

    def test_required(self) -> None:
        """What a 426 names goes on, every line of it; one that names nothing stays as it is."""
        fields = [(b"upgrade", b"h2c"), (b"Upgrade", b"websocket")]
        self.assertEqual(upgrade_required(fields), [(b"Connection", b"Upgrade"), (b"Upgrade", b"h2c, websocket")])
        self.assertEqual(upgrade_required([(b"Connection", b"Upgrade")]), [])
