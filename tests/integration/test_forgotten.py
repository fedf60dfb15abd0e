"""Applications that start the proxy and do not stop it: their processes end all the same."""

from __future__ import annotations

import os
import sys

from twisted.trial.unittest import SynchronousTestCase

from .processes import run

STARTED = """
from twisted.internet import reactor
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.core.audit.settings import AuditOptions
from llmproxy.message import Record
from llmproxy.app.proxy import TransparentProxy

api = APIProviderConfig(base_url="http://127.0.0.1:1", allowed_endpoints=["/v1"], allowed_methods=["GET"])
proxy = TransparentProxy(reactor, APIConfig({"a": api}, "a"), database_url="proxy.db", access_log="access.log",
                         audit=AuditOptions("audit.log"), management_token="management-canary-0123456789")
proxy.startService()
"""

STOPS = """
def opened(_):
    publisher = proxy.foundation.metering.publisher
    publisher.publish(Record("last", "GET", "/v1/x", "192.0.2.1", 0.0, status=200, ended="complete"))
    reactor.callLater(0.1, reactor.stop)

proxy.started.addCallback(opened)
reactor.run()
print("stopped")
"""

STOPS_BEFORE_IT_HAS_STARTED = """
proxy.started.addErrback(lambda reason: None)
reactor.callWhenRunning(reactor.stop)
reactor.run()
print("stopped")
"""

CRASHES = """
proxy.started.addCallback(lambda _: reactor.callLater(0.1, reactor.crash))
reactor.run()
print("stopped")
"""

NEVER_RUNS = """
print("stopped")
"""


class ForgottenTests(SynchronousTestCase):
    def ended(self, program: str) -> str:
        """The directory in which a program ran to its end."""
        directory = os.path.abspath(self.mktemp())
        os.mkdir(directory)
        ended = run((sys.executable, "-c", STARTED + program), directory)
        self.assertEqual((ended.returncode, ended.stdout), (0, "stopped\n"), ended.stderr)
        self.assertNotIn("Traceback", ended.stderr)
        return directory

    def test_reactor_stops(self) -> None:
        """With the reactor, and what has been counted and logged is written down."""
        directory = self.ended(STOPS)
        with open(os.path.join(directory, "access.log")) as log:
            self.assertIn('"last"', log.read())

    def test_otherwise(self) -> None:
        """However else it comes to its end."""
        for program in (STOPS_BEFORE_IT_HAS_STARTED, CRASHES, NEVER_RUNS):
            self.ended(program)
