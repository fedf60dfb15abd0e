"""The fakes keep to the interfaces that they stand for."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IBodyProducer
from zope.interface.verify import verifyObject

from llmproxy.interfaces import IDirectory, IQuota, IRevocations

from .fakes import FakeDirectory, FakeQuota, FakeRevocations, HeldBody


class FakesTests(SynchronousTestCase):
    def test_interfaces(self) -> None:
        """A test against a fake says something of the real one."""
        verifyObject(IDirectory, FakeDirectory())
        verifyObject(IQuota, FakeQuota())
        verifyObject(IRevocations, FakeRevocations())
        verifyObject(IBodyProducer, HeldBody())
