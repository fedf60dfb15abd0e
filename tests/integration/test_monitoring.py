"""The boards of Grafana and the rules of Prometheus, against a Prometheus that scrapes a running proxy."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ..boards.boards import BOARDS, REDIS
from ..boards.grafana import expression
from ..boards.made import RULES
from .processes import LLMPROXY, MANAGEMENT_TOKEN, free_port, start
from .redisserver import MISSING, RedisServer

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
METRICS_TOKEN = "integration-metrics-token-0123456789"

APIS = """\
default_api: demo
trusted_proxies: []
apis:
  demo:
    allowed_endpoints: [/v1]
    allowed_methods: [GET, POST]
    breaker: {{threshold: 3, cooldown: 60}}
    cache: {{default_ttl: 60}}
    dialect: openai
    upstreams:
      - {{name: one, base_url: "{upstream}"}}
      - {{name: two, base_url: "{upstream}"}}
    retry: {{attempts: 2}}
  away:
    base_url: http://127.0.0.1:1
    allowed_endpoints: [/v1]
    allowed_methods: [GET, POST]
    breaker: {{threshold: 3, cooldown: 60}}
prices: [{{api: demo, model: "*", input: 1, output: 2}}]
sinks: [{{name: events, type: file, path: {directory}/events.jsonl}}]
"""

PATIENCE = 60.0


class MonitoringTests(SynchronousTestCase):
    """
    One proxy with two upstreams, limits in Redis, a cache, a sink and prices, used in each way that boards show.

    The demo upstream keys its answers by what it is asked, so that the second question of a kind is a hit.
    """

    skip = MISSING or (None if PROMETHEUS and PROMTOOL else "prometheus is not installed")
    timeout = 300

    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        self.redis = RedisServer().start()
        self.addCleanup(self.redis.close)
        upstream, self.port, self.prometheus = free_port(), free_port(), free_port()
        self.run_in("upstream", *LLMPROXY, "demo-upstream", "--listen", f"127.0.0.1:{upstream}", "--pause", "0.01")
        config = Path(self.folder("proxy")) / "apis.yaml"
        config.write_text(APIS.format(upstream=f"http://127.0.0.1:{upstream}", directory=self.directory))
        command = ("serve", "--config", str(config), "--database", "sqlite:///d.db")
        self.run_in(
            "proxy",
            *(*LLMPROXY, *command, "--listen", f"127.0.0.1:{self.port}"),
            MANAGEMENT_TOKEN=MANAGEMENT_TOKEN,
            METRICS_TOKEN=METRICS_TOKEN,
            REDIS_URL=f"redis://127.0.0.1:{self.redis.port}/0",
            ENCRYPTION_KEY="MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        )
        self.until(lambda: self.fetch("/ready"), "the proxy is ready")
        self.until(lambda: self.ask(upstream, "/v1/models", {"Authorization": "Bearer demo"}), "upstream answers")

    def folder(self, name: str) -> str:
        path = os.path.join(self.directory, name)
        os.makedirs(path, exist_ok=True)
        return path

    def run_in(self, name: str, *command: str, **more: str) -> None:
        process = start(command, self.folder(name), **more)

        def end() -> None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

        self.addCleanup(end)

    def until(self, found: Callable[[], Any], what: str) -> Any:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            try:
                value = found()
            except OSError:
                value = None
            if value:
                return value
            time.sleep(0.25)
        said = [path.read_text()[-2000:] for path in Path(self.directory).glob("*/std*")]
        raise AssertionError(f"never: {what}: {said}")

    def ask(self, port: int, path: str, headers: dict[str, str], body: Any = None) -> str:
        """What comes back, also with an error."""
        data = None if body is None else json.dumps(body).encode()
        headers = {**headers, "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def fetch(self, path: str, body: Any = None, token: str = MANAGEMENT_TOKEN) -> str:
        return self.ask(self.port, path, {"Authorization": f"Bearer {token}"}, body)

    def use(self) -> None:
        """Ask in each way that a board shows: streams, hits, errors of ours, of upstream, and by limits."""
        chat = {"model": "demo", "messages": [{"role": "user", "content": "hello"}]}
        for path, body in (
            ("/v1/chat/completions", chat),
            ("/v1/chat/completions", {**chat, "stream": True, "stream_options": {"include_usage": True}}),
            ("/v1/models", None),
            ("/v1/models", None),
            ("/v1/nothing", None),
            ("/away/v1/models", None),
        ):
            self.fetch(path, body, self.token)
        self.fetch("/v1/models", None, "llmproxy_nobody")

    def make_token(self) -> str:
        made = json.loads(
            self.fetch("/manage/projects", {"name": "p", "api_key": "demo", "api_keys": {"away": "sk-away"}})
        )
        self.assertIn("id", made, made)
        token = json.loads(self.fetch("/manage/tokens", {"project_id": made["id"], "duration_minutes": 60}))
        self.assertIn("token", token, token)
        return str(token["token"])

    def start_prometheus(self, exporter: int) -> None:
        folder = Path(self.folder("prometheus"))
        (folder / "token").write_text(METRICS_TOKEN)
        (folder / "prometheus.yml").write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "evaluation_interval": "2s"},
                    "rule_files": [str(RULES)],
                    "scrape_configs": [
                        {
                            "job_name": "llmproxy",
                            "authorization": {"credentials_file": str(folder / "token")},
                            "static_configs": [{"targets": [f"127.0.0.1:{self.port}"]}],
                        },
                        {"job_name": "redis", "static_configs": [{"targets": [f"127.0.0.1:{exporter}"]}]},
                    ],
                }
            )
        )
        assert PROMETHEUS is not None
        self.run_in(
            "prometheus",
            *(PROMETHEUS, "--config.file=prometheus.yml", "--storage.tsdb.path=data"),
            f"--web.listen-address=127.0.0.1:{self.prometheus}",
        )

    def api(self, path: str, **parameters: str) -> Any:
        said = json.loads(self.ask(self.prometheus, f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}", {}))
        if said.get("status") != "success":
            raise AssertionError(f"{path} {parameters}: {said}")
        return said["data"]

    def answers(self, query: str) -> list[Any]:
        found = self.api("query", query=query)["result"]
        assert isinstance(found, list)
        return found

    def exporter(self) -> int:
        """What redis_exporter shows of a Redis, from the same INFO."""
        redis = self.redis

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                said = dict(re.findall(r"^(\w+):([\d.]+)\r?$", redis.ask("INFO").decode(), re.MULTILINE))
                rows = {
                    "redis_up": "1",
                    "redis_connected_clients": said["connected_clients"],
                    "redis_memory_used_bytes": said["used_memory"],
                    "redis_memory_max_bytes": said["maxmemory"],
                    "redis_commands_processed_total": said["total_commands_processed"],
                    "redis_keyspace_hits_total": said["keyspace_hits"],
                    "redis_keyspace_misses_total": said["keyspace_misses"],
                    "redis_evicted_keys_total": said["evicted_keys"],
                }
                body = "".join(f"{name} {value}\n" for name, value in rows.items()).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        return int(server.server_address[1])

    def test_each_query_answers(self) -> None:
        """Each panel of each board has something to show, each choice something to choose, each rule is evaluated."""
        self.token = self.make_token()
        # Counters begin with what they count: they have to be there before a rate of them is.
        self.use()
        self.start_prometheus(self.exporter())
        self.until(lambda: self.ask(self.prometheus, "/-/ready", {}).startswith("Prometheus"), "Prometheus is ready")
        self.until(lambda: self.answers("llmproxy_cost_usd_total"), "a scrape")
        for _ in range(3):
            self.use()
            time.sleep(1.0)
        self.until(lambda: self.answers("increase(llmproxy_cost_usd_total[5m]) > 0"), "several scrapes")
        silent = []
        for board in BOARDS:
            for panel in (panel for each in board.rows for panel in each.panels):
                for query in panel.queries:
                    asked = expression(query.expression).replace("$__rate_interval", "5m")
                    for name in ("job", "instance", *(name for name, _ in board.choices)):
                        asked = asked.replace(f"${name}", ".*")
                    if not self.answers(asked):
                        silent.append((board.name, panel.title, asked))
        self.assertEqual(silent, [])
        for board in BOARDS:
            for name, metric in (("job", board.job), ("instance", board.job), *board.choices):
                self.assertTrue(self.api(f"label/{name}/values", **{"match[]": metric}), (board.name, name))
        self.assertEqual(self.api("label/job/values", **{"match[]": REDIS.job}), ["redis"])
        self.until(self.rules_are_evaluated, "all rules are evaluated")
        firing = {each["labels"]["alertname"] for each in self.api("alerts")["alerts"] if each["state"] == "firing"}
        self.assertEqual(firing & {"LLMProxyDown", "LLMProxyLedgerLost", "LLMProxyAuditLost"}, set())

    def rules_are_evaluated(self) -> bool:
        rules = [rule for group in self.api("rules")["groups"] for rule in group["rules"]]
        broken = {rule["name"]: rule.get("lastError") for rule in rules if rule["health"] == "err"}
        self.assertEqual(broken, {})
        return all(rule["health"] == "ok" for rule in rules)

    def test_promtool(self) -> None:
        """The scrape is one that Prometheus takes, and the rules are; who has no token sees nothing."""
        assert PROMTOOL is not None
        self.token = self.make_token()
        self.use()
        scrape = self.fetch("/metrics", None, METRICS_TOKEN)
        done = subprocess.run(
            [PROMTOOL, "check", "metrics"], input=scrape, capture_output=True, text=True, timeout=60, check=False
        )
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        done = subprocess.run([PROMTOOL, "check", "rules", str(RULES)], capture_output=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("llmproxy_", self.fetch("/metrics", None, "wrong"))
