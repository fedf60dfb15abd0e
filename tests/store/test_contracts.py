"""Tests for L{llmproxy.store.contracts}."""

from __future__ import annotations

import inspect

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.store.contracts import INotedTransactions, ISharedDatabase, ITransactions
from llmproxy.store.database import Database


class ContractTests(SynchronousTestCase):
    def test_members(self) -> None:
        """The database has every member, with the arguments that the contract names."""
        names = []
        for contract in (ITransactions, INotedTransactions, ISharedDatabase):
            for name, member in vars(contract).items():
                if name.startswith("_"):
                    continue
                names.append(name)
                theirs = getattr(Database, name)
                self.assertEqual(type(theirs), type(member), name)
                if inspect.isfunction(member):
                    found, wanted = (list(inspect.signature(each).parameters) for each in (theirs, member))
                    self.assertEqual(found, wanted, name)
        self.assertEqual(names, ["run", "read", "note", "is_shared", "listen"])
