"""What the command line hands over to the service."""

from __future__ import annotations

from typing import Any

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from llmproxy import service
from llmproxy.app.settings import Settings, SettingsArguments, exposed, settings_of
from llmproxy.config import APIConfig, APIProviderConfig, ProxyConfig
from llmproxy.config.variables import DEFAULT_POOL_SIZE
from llmproxy.store.engine import POOL_SIZE
from llmproxy.workers.ipc import packed, unpacked

from ..tables import row


def options(**changes: Any) -> Settings:
    apis = APIConfig({"a": APIProviderConfig("http://127.0.0.1:1", ["/v1"], ["GET"])}, "a")
    values: dict[str, Any] = {
        "apis": apis,
        "management_token": "token-canary",
        "encryption_key": b"key-canary",
        "old_encryption_keys": [b"old-canary"],
        "database_url": "postgresql://u:password-canary@h/db",
        "listen": ["tcp:8080", "tcp:8081"],
    }
    return Settings(**{**values, **changes})


class SettingsTests(SynchronousTestCase):
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
        self.assertIs(service.Settings, Settings)
        self.assertEqual(POOL_SIZE, DEFAULT_POOL_SIZE)

    def test_arguments(self) -> None:
        """What an application may say in words is what settings have, but for ports and what belongs to them."""
        ports = {"apis", "listen", "manage_listen", "inherited", "server_log_format", "drain_delay", "watch", "source"}
        known = {each.name: each.type for each in fields(Settings) if each.name not in ports}
        given = {**SettingsArguments.__annotations__}
        self.assertEqual(known.keys(), given.keys())
        for name, kind in given.items():
            if name != "cache":
                self.assertEqual(kind.__forward_arg__, known[name], (name, kind))

    def test_exposed(self) -> None:
        """Where other machines find the admin pages beside the APIs, a sentence says so."""
        local, everywhere = "tcp:8080:interface=127.0.0.1", "tcp:80"
        for changes, count in (
            ({"admin_ui": True, "listen": [local, "unix:/x"]}, 0),
            ({"admin_ui": True, "listen": [local, everywhere]}, 1),
            ({"admin_ui": True, "listen": [everywhere], "manage_listen": [everywhere]}, 0),
            ({"admin_ui": False, "listen": [everywhere]}, 0),
        ):
            found = exposed(options(**changes))  # type: ignore[arg-type]
            self.assertEqual(len(found), count, changes)
            self.assertTrue(all("--manage-listen" in each for each in found), changes)

    def test_no_configuration(self) -> None:
        """What is none is refused with a word about what would be."""
        for wrong in (None, "apis.yaml", {"apis": {}}, ProxyConfig):
            with self.subTest(wrong=wrong):
                with row(wrong):
                    error = self.assertRaises(TypeError, settings_of, wrong, {})
                self.assertIn("is no configuration: load_api_config(path) reads one", str(error))

    def test_given(self) -> None:
        """They are one value, in whichever way they are given."""
        apis = options().apis
        whole = settings_of(apis, {"database_url": "x", "cache": None})
        self.assertEqual(whole, Settings(apis, database_url="x"))
        self.assertIs(settings_of(whole, {}), whole)
        alone = ProxyConfig("http://127.0.0.1:1", ["/v1"], ["GET"], api_name="me")  # type: ignore[arg-type]
        self.assertEqual(
            (settings_of(alone, {}).apis.default_api, settings_of(alone, {}).apis.apis), ("me", {"me": alone})
        )
        self.assertRaises(TypeError, settings_of, apis, {"listen": []})
        self.assertRaises(TypeError, settings_of, whole, {"database_url": "x"})
