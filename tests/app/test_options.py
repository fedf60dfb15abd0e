"""What the command line hands over to the service."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy import service
from llmproxy.app.options import ServiceOptions
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.config.variables import DEFAULT_POOL_SIZE
from llmproxy.store.engine import POOL_SIZE
from llmproxy.workers.ipc import packed, unpacked


def options(**changes: Any) -> ServiceOptions:
    apis = APIConfig({"a": APIProviderConfig("http://127.0.0.1:1", ["/v1"], ["GET"])}, "a")
    values: dict[str, Any] = {
        "apis": apis,
        "management_token": "token-canary",
        "encryption_key": b"key-canary",
        "old_encryption_keys": [b"old-canary"],
        "database_url": "postgresql://u:password-canary@h/db",
        "listen": ["tcp:8080", "tcp:8081"],
    }
    return ServiceOptions(**{**values, **changes})


class ServiceOptionsTests(SynchronousTestCase):
    def test_listeners(self) -> None:
        """Every port is named with the option that it comes from, those of management last."""
        listeners = options(manage_listen=["unix:m.sock"]).listeners
        self.assertEqual([option for option, _ in listeners], ["--listen", "--listen", "--manage-listen"])
        self.assertEqual(listeners[-1][1], "unix:m.sock")

    def test_no_secret_is_shown(self) -> None:
        """Formatting them shows neither tokens, keys nor passwords."""
        self.assertNotIn("canary", repr(options()))

    def test_workers(self) -> None:
        """A worker gets all of them as the parent had them, secrets too."""
        self.assertEqual(unpacked(packed(options())), options())

    def test_where_they_were(self) -> None:
        """Who embeds the service finds them there; what a service has that is told nothing is what a database has."""
        self.assertIs(service.ServiceOptions, ServiceOptions)
        self.assertEqual(POOL_SIZE, DEFAULT_POOL_SIZE)
