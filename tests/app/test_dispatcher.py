"""A dispatcher put together, with no Redis."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from llmproxy.app.dispatcher import Dispatcher, consumer_name
from llmproxy.config.dispatcher import DispatcherConfig, read_dispatcher
from llmproxy.core.masking import Masking
from llmproxy.errors import ConfigError

from ..integration.processes import free_port


class DispatcherTests(TestCase):
    def config(self, env: Any = None, **options: Any) -> DispatcherConfig:
        given = {"service": "stdout", "listen": "off", "directory": self.mktemp(), **options}
        address = {"REDIS_ADDR": f"127.0.0.1:{free_port()}"}
        return read_dispatcher(given, {**address, **(env or {})}, lambda path: "")

    def made(self, config: DispatcherConfig) -> Dispatcher:
        dispatcher = Dispatcher(reactor, config, Masking(), {})
        self.addCleanup(dispatcher.stopService)
        return dispatcher

    @inlineCallbacks
    def test_without_redis(self) -> Any:
        """It starts without Redis, says so, and ends."""
        dispatcher = self.made(self.config())
        dispatcher.startService()
        yield dispatcher.started
        for _ in range(200):
            if "cannot connect" in dispatcher.health()["message"]:
                break
            yield deferLater(reactor, 0.02)  # type: ignore[arg-type]
        health = dispatcher.health()
        self.assertEqual((health["healthy"], health["lag_count"], health["sinks"][0]["pending"]), (False, 0, None))
        self.assertIn("stdout: cannot read: cannot connect", health["message"])
        yield dispatcher.stopService()

    @inlineCallbacks
    def test_listen(self) -> Any:
        """An address that was asked for has to be free; the usual one need not."""
        port = free_port()
        first = self.made(self.config(listen=f"127.0.0.1:{port}"))
        first.startService()
        yield first.started
        second = self.made(self.config(listen=f"127.0.0.1:{port}"))
        second.startService()
        failure = yield self.assertFailure(second.started, ConfigError)
        self.assertIn("--listen: tcp:", str(failure))
        usual = evolve(self.config(), listen=f"tcp:{port}:interface=127.0.0.1", must_listen=False)
        third = self.made(usual)
        third.startService()
        yield third.started
        self.assertEqual((len(first.ports), third.ports), (1, []))

    def test_wrong_sinks(self) -> None:
        """What is wrong with sinks is said at once, of all of them."""
        config = self.config(service="lunary", api_key="k", endpoint="no url")
        error = self.assertRaises(ConfigError, Dispatcher, reactor, config, Masking(), {})
        self.assertIn("sink 'lunary': url: ", str(error))

    def test_secrets(self) -> None:
        """Keys and passwords are masked from the beginning."""
        masking = Masking()
        env = {"REDIS_PASSWORD": "hush-hush-hush", "LLM_PROXY_API_KEY": "key-of-lunary"}
        Dispatcher(reactor, self.config(env, service="lunary"), masking, {})
        self.assertEqual(masking.text("hush-hush-hush key-of-lunary"), "[masked] [masked]")

    def test_name(self) -> None:
        """The reference's name of a consumer."""
        self.assertRegex(consumer_name("file"), r"\Adispatcher-file-.+-\d+\Z")
