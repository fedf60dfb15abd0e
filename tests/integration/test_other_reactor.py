"""A proxy embedded with a reactor that is not the global one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent.parent

SCRIPT = """
import sys
from twisted.internet.selectreactor import SelectReactor
from llmproxy import APIConfig, APIProviderConfig, TransparentProxy
from llmproxy.config import CacheConfig
from llmproxy.core.audit.settings import AuditOptions
from llmproxy.core.caching.settings import CacheOptions
from llmproxy.core.redisoptions import RedisLocation, RedisOptions

api = APIProviderConfig(
    base_url="https://a.example", allowed_endpoints=["/v1"], allowed_methods=["GET"], cache=CacheConfig(True)
)
reactor = SelectReactor()
proxy = TransparentProxy(
    reactor,
    APIConfig({"a": api}, "a"),
    database_url=":memory:",
    management_token="t" * 40,
    cache=CacheOptions(redis=RedisOptions(RedisLocation("127.0.0.1", 1))),
    audit=AuditOptions("audit.log"),
)
made = "twisted.internet.reactor" in sys.modules
reactor.callWhenRunning(proxy.startService)
proxy.started.addCallback(lambda _: proxy.stopService()).addBoth(print).addCallback(lambda _: reactor.stop())
reactor.run()
print(made, "twisted.internet.reactor" in sys.modules)
"""


class OtherReactorTests(SynchronousTestCase):
    def test_installs_none(self) -> None:
        """With a database, Redis and the audit log it is made, starts and stops, and installs no reactor of its own."""
        directory = Path(self.mktemp())
        directory.mkdir()
        ended = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            cwd=directory,
            env={"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((ended.stdout, ended.stderr), ("None\nFalse False\n", ""))
