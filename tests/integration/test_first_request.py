"""What the first request of a process finds: everything is loaded. An import stalls all that runs."""

from __future__ import annotations

import os
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.proxied import CONFIG

ROOT = Path(__file__).resolve().parent.parent.parent

SCRIPT = """
import contextlib, json, os, socket, sys, threading
from twisted.internet import reactor
from llmproxy import tap
from llmproxy.app.startup import settle

upstream = socket.create_server(("127.0.0.1", 0))

def answer():
    client, _ = upstream.accept()
    with contextlib.suppress(ConnectionError):
        while client.recv(65536):
            client.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{{}}")

def ask(port, method, path, token, body=b""):
    lines = [f"{{method}} {{path}} HTTP/1.1", "Host: h", f"Authorization: Bearer {{token}}", "Connection: close"]
    lines += ["Content-Type: application/json", f"Content-Length: {{len(body)}}", "", ""]
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        client.sendall("\\r\\n".join(lines).encode() + body)
        head, _, content = b"".join(iter(lambda: client.recv(65536), b"")).partition(b"\\r\\n\\r\\n")
    return head[9:12].decode(), content

def client(port):
    management = os.environ["MANAGEMENT_TOKEN"]
    project = {{"name": "p", "api_key": "sk-upstream-key-0123456789"}}
    _, made = ask(port, "POST", "/manage/projects", management, json.dumps(project).encode())
    token = {{"project_id": json.loads(made)["id"], "duration_minutes": 5}}
    _, made = ask(port, "POST", "/manage/tokens", management, json.dumps(token).encode())
    token = json.loads(made)["token"]
    settle()
    before = set(sys.modules)
    for method, path, body in ("POST", "/v1/chat", b'{{"model":"m"}}'), ("GET", "/v1/models", b""), ("GET", "/no", b""):
        print(ask(port, method, path, token, body)[0], end=" ")
    print(sorted(set(sys.modules) - before))
    reactor.callFromThread(reactor.stop)

with open("apis.yaml", "w") as file:
    file.write({config!r}.format(port=upstream.getsockname()[1]))
options = tap.Options()
options.parseOptions(["--config", "apis.yaml", "--database", "sqlite:///x.db", "--listen", "tcp:0:interface=127.0.0.1",
                      "--access-log", "access.log"])
service = tap.make_service(reactor, tap.service_options(options, os.environ), 1)
for target in (answer, lambda: client(service.ports[0].getHost().port)):
    thread = threading.Thread(target=target, daemon=True)
    service.started.addCallback(lambda _, thread=thread: thread.start())
reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
reactor.callWhenRunning(service.startService)
reactor.run()
"""


class FirstRequestTests(SynchronousTestCase):
    def test_loads_nothing(self) -> None:
        """Neither what goes to upstream nor what is refused has to wait for a module, nor has anybody else."""
        directory = self.mktemp()
        Path(directory).mkdir()
        env = {
            "MANAGEMENT_TOKEN": "3f9c1e7ab4d2068f5e93c7a1b0d4f682",
            "ENCRYPTION_KEY": b64encode(bytes(32)).decode(),
            "PYTHONPATH": str(ROOT),
        }
        ended = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(config=CONFIG)],
            cwd=directory,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        self.assertEqual((ended.stdout, ended.stderr), ("200 200 404 []\n", ""))
