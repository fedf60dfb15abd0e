"""Tests for L{llmproxy.core.deviceflow}."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.deviceflow import INTERVAL, SLOWER, Device, Grant, asked, is_open, refreshing, rotated, standing

NOW = 1000.0
GRANT = Grant("g", "u", "claude-cli/2", "laptop", "203.0.113.7", NOW, NOW + 600)
DEVICE = Device("d", "ann", "claude-cli/2", "", "", "sel", "sec", "t1", NOW, NOW, NOW + 1000)


class AskedTests(SynchronousTestCase):
    def test_answers(self) -> None:
        """RFC 8628 section 3.5."""
        rows: tuple[tuple[dict[str, Any], float, str], ...] = (
            ({}, NOW + 5, "authorization_pending"),
            ({}, NOW, "authorization_pending"),
            ({"asked_at": NOW}, NOW + 5, "authorization_pending"),
            ({"asked_at": NOW}, NOW + 4.6, "authorization_pending"),
            ({"asked_at": NOW}, NOW + 4, "slow_down"),
            ({"asked_at": NOW, "interval": 10.0}, NOW + 5, "slow_down"),
            ({"state": "denied"}, NOW + 5, "access_denied"),
            ({"state": "approved"}, NOW + 5, "approved"),
            ({"state": "approved", "asked_at": NOW}, NOW + 1, "slow_down"),
            ({"state": "used"}, NOW + 5, "expired_token"),
            ({}, NOW + 600, "expired_token"),
            ({"state": "approved"}, NOW + 600, "expired_token"),
        )
        for changes, now, expected in rows:
            self.assertEqual(asked(evolve(GRANT, **changes), now)[0], expected, (changes, now))

    def test_slower(self) -> None:
        """Who asks too early waits longer from then on, each time."""
        grant = evolve(GRANT, asked_at=NOW)
        for times in (1, 2):
            answer, grant = asked(grant, NOW + times)
            self.assertEqual((answer, grant.interval), ("slow_down", INTERVAL + times * SLOWER), times)
        self.assertEqual(asked(grant, NOW + 2 + grant.interval)[0], "authorization_pending")

    def test_open(self) -> None:
        """Once decided, and once expired, nobody decides."""
        for state, now, expected in (("pending", NOW, True), ("pending", NOW + 600, False), ("denied", NOW, False)):
            self.assertEqual(is_open(evolve(GRANT, state=state), now), expected, (state, now))


class DeviceTests(SynchronousTestCase):
    def test_stale(self) -> None:
        """An old one from where it was refreshed last was not copied; one from anywhere else was."""
        held = Device("d", "o", "p", "", "", "s", "s", "t", NOW, NOW, NOW + 60, refreshed_from="here")
        for same, network, age, expected in (
            (True, "here", 0, "good"),
            (True, "there", 0, "good"),
            (False, "here", 0, "stale"),
            (False, "there", 0, "reuse"),
            (False, "", 0, "reuse"),
            (False, "here", 60, "over"),
        ):
            self.assertEqual(refreshing(held, same, NOW + age, network), expected, (same, network, age))
        for network in ("here", ""):
            self.assertEqual(refreshing(evolve(held, refreshed_from=None), False, NOW, network), "reuse", network)

    def test_standing(self) -> None:
        """Since the sign-in, or since the provider has said so last."""
        held = Device("d", "o", "p", "", "", "s", "s", "t", NOW, NOW, NOW + 9999)
        for checked_at, age, expected in (
            (None, 0, "known"),
            (None, 59, "known"),
            (None, 60, "due"),
            (None, 69, "due"),
            (None, 70, "overdue"),
            (NOW + 100, 159, "known"),
            (NOW + 100, 160, "due"),
            (NOW + 100, 170, "overdue"),
        ):
            found = standing(evolve(held, checked_at=checked_at), 60.0, 10.0, NOW + age)
            self.assertEqual(found, expected, (checked_at, age))

    def test_refreshing(self) -> None:
        for changes, same, now, expected in (
            ({}, True, NOW, "good"),
            ({}, False, NOW, "reuse"),
            ({}, True, NOW + 1000, "over"),
            ({}, False, NOW + 1000, "over"),
            ({"ended_at": NOW, "ended_because": "reuse"}, True, NOW, "over"),
            ({"ended_at": NOW, "ended_because": "reuse"}, False, NOW, "over"),
        ):
            self.assertEqual(refreshing(evolve(DEVICE, **changes), same, now), expected, (changes, same, now))

    def test_rotated(self) -> None:
        """Of access tokens the last two are good."""
        second, ending = rotated(DEVICE, "sec2", "t2", NOW + 1)
        self.assertIsNone(ending)
        third, ending = rotated(second, "sec3", "t3", NOW + 2)
        self.assertEqual(ending, "t1")
        self.assertEqual((third.token_id, third.former_token_id, third.secret_hash), ("t3", "t2", "sec3"))
        self.assertEqual((third.used_at, third.expires_at), (NOW + 2, DEVICE.expires_at))
