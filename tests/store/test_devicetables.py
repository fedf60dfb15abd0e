"""Tests for L{llmproxy.store.devicetables}."""

from __future__ import annotations

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.deviceflow import Device
from llmproxy.store.devicetables import device_grants, devices


class DeviceTableTests(SynchronousTestCase):
    def test_columns(self) -> None:
        """A device is a row, and no secret is in it or in a grant: hashes are."""
        self.assertEqual({column.name for column in devices.columns}, {each.name for each in fields(Device)})
        for table in (devices, device_grants):
            names = {column.name for column in table.columns}
            self.assertEqual(names & {"device_code", "user_code", "refresh_token", "secret"}, set(), table.name)
