"""Realtime of the real OpenAI SDK, through the proxy to a WebSocket server that compresses messages, or does not."""

from __future__ import annotations

import json
import threading
from typing import Any

import openai
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from websockets.sync.server import Server, ServerConnection, serve

from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.service import ProxyService

from .harness import ProxyTestCase

SESSION = {"type": "session.created", "event_id": "e", "session": {"type": "realtime", "model": "gpt-realtime-1"}}


def answers(number: int) -> list[dict[str, Any]]:
    """What follows a C{response.create}."""
    usage = {
        "total_tokens": 30 * number,
        "input_tokens": 20 * number,
        "output_tokens": 10 * number,
        "input_token_details": {"text_tokens": 15 * number, "audio_tokens": 5 * number, "cached_tokens": 2 * number},
        "output_token_details": {"text_tokens": 3 * number, "audio_tokens": 7 * number},
    }
    base = {"id": f"resp_{number}", "object": "realtime.response", "output": []}
    return [
        {"type": "response.created", "event_id": "e", "response": {**base, "status": "in_progress", "usage": None}},
        {"type": "response.output_audio.delta", "event_id": "e", "delta": "QUFB" * 20_000},
        {"type": "response.done", "event_id": "e", "response": {**base, "status": "completed", "usage": usage}},
    ]


AGREED: list[int] = []
"""How many extensions each session has."""


def handle(connection: ServerConnection) -> None:
    """A session, until the client leaves."""
    AGREED.append(len(connection.protocol.extensions))
    connection.send(json.dumps(SESSION))
    number = 0
    for message in connection:
        if json.loads(message)["type"] == "response.create":
            number += 1
            for answer in answers(number):
                connection.send(json.dumps(answer))


class RealtimeUsageTests(ProxyTestCase):
    compression: Any = None

    async def start_proxy(self, base_url: str) -> ProxyService:
        self._server: Server = serve(handle, "127.0.0.1", 0, compression=self.compression)
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)
        self.addCleanup(self._server.shutdown)
        return await super().start_proxy(f"http://127.0.0.1:{self._server.socket.getsockname()[1]}")

    def config(self, base_url: str) -> APIConfig:
        api = APIProviderConfig(base_url=base_url, allowed_endpoints=["/v1"], allowed_methods=["GET"], dialect="openai")
        return APIConfig({"openai": api}, "openai")

    def talk(self) -> list[Any]:
        """Three answers of a session, and what the SDK says that they used."""
        url = f"http://127.0.0.1:{self.port}/v1"
        with openai.OpenAI(base_url=url, api_key=self.secret, max_retries=0) as client:
            options: Any = {"compression": self.compression}
            with client.realtime.connect(model="gpt-realtime", websocket_connection_options=options) as connection:
                found = []
                for _ in range(3):
                    connection.response.create()
                    done: Any = next(event for event in connection if event.type == "response.done")
                    found.append(done.response.usage)
            return found

    async def test_sum(self) -> None:
        """What all answers used together is what the SDK says of each, added up."""
        said = await deferToThread(self.talk)
        for _ in range(200):
            if self.records:
                break
            await deferLater(reactor, 0.02)
        [record] = self.records
        self.assertEqual(AGREED[-1], self.compression is not None)
        used = record.usage
        assert used is not None
        self.assertEqual(used.input_tokens, sum(each.input_tokens for each in said))
        self.assertEqual(used.output_tokens, sum(each.output_tokens for each in said))
        self.assertEqual(used.cached_input_tokens, sum(each.input_token_details.cached_tokens for each in said))
        self.assertEqual(used.audio_input_tokens, sum(each.input_token_details.audio_tokens for each in said))
        self.assertEqual(used.audio_output_tokens, sum(each.output_token_details.audio_tokens for each in said))
        self.assertEqual((used.served_model, record.model, record.status), ("gpt-realtime-1", "gpt-realtime", 101))


class DeflatedTests(RealtimeUsageTests):
    """The same with C{permessage-deflate}."""

    compression = "deflate"
