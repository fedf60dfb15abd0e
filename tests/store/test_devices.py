"""Devices in SQLite."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.database import Database

from ..contracts.device_store import DeviceStoreContract
from .databases import opened


class MemoryDeviceStoreTests(DeviceStoreContract, SynchronousTestCase):
    def open(self) -> Database:
        return opened(self, clock=self.clock)


class FileDeviceStoreTests(DeviceStoreContract, SynchronousTestCase):
    """A file, which other processes share and hear of."""

    def open(self) -> Database:
        return opened(self, f"sqlite:///{self.mktemp()}", clock=self.clock)
