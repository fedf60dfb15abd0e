"""C{llmproxy benchmark}, for a second or two: the figures are of no interest, that there are any is."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.bench.processes import fast_upstream
from llmproxy.bench.proxied import running_proxy

from .processes import LLMPROXY, free_port, run, start, wait_for_text

SHORT = ("--duration", "0.3", "--rounds", "1", "--warmup", "0", "-c", "4")


class BenchmarkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.directory = os.path.abspath(self.mktemp())
        os.mkdir(self.directory)

    def report(self) -> Any:
        return json.loads(Path(self.directory, "figures.json").read_text())

    def benchmark(self, *options: str, status: int = 0, **more: str) -> Any:
        ended = run((*LLMPROXY, "benchmark", *SHORT, "--json", "figures.json", *options), self.directory, **more)
        self.assertEqual(ended.returncode, status, ended.stderr)
        self.assertNotIn("Traceback", ended.stderr)
        self.said = ended.stdout + ended.stderr
        return self.report() if not status else None

    def test_from_nothing(self) -> None:
        """Without a word about a gateway it starts one, and has figures of it and of what is behind it."""
        kinds = ("--run", "closed", "--run", "open", "--run", "streams")
        made = self.benchmark(*kinds, "--rate", "200", "--streams", "20", "--events", "200", "--svg", "curves.svg")
        self.assertTrue(made["complete"])
        self.assertTrue(made["same_answers"])
        for name in ("direct", "llmproxy"):
            for kind in ("closed", "open", "streams"):
                figures = made[kind]["targets"][name]
                self.assertEqual((kind, name, figures["errors"]), (kind, name, {}), kind)
            self.assertGreater(made["closed"]["targets"][name]["completed"], 0, name)
            self.assertGreaterEqual(made["open"]["targets"][name]["completed"], 50, name)
            self.assertEqual(made["streams"]["targets"][name]["streams_held"]["median"], 20, name)
            self.assertEqual(made["streams"]["targets"][name]["events_lost"], 0, name)
        self.assertGreater(made["open"]["added"]["p50_ms"]["median"], 0)
        self.assertGreater(made["tool"]["closed_requests_per_second"], 0)
        for moment in ("idle", "loaded", "after"):
            self.assertGreater(made["memory_mib"][moment], 10, moment)
        self.assertIn("open loop: 200 requests/s", self.said)
        self.assertIn("<polyline", Path(self.directory, "curves.svg").read_text())

    def test_so_many(self) -> None:
        """-r is how often each target is asked under load: with a token of few uses it matters."""
        made = self.benchmark("-r", "7", "--quiet")
        for name in ("direct", "llmproxy"):
            self.assertEqual(made["closed"]["targets"][name]["completed"], 7, name)

    def test_interrupted(self) -> None:
        """Ctrl-C and SIGTERM end it with what it knows so far, and with nothing left running."""
        for stop in (signal.SIGINT, signal.SIGTERM):
            command = (*LLMPROXY, "benchmark", "-c", "4", "--run", "closed", "--duration", "50", "--rounds", "100",
                       "--warmup", "0", "--json", "figures.json")  # fmt: skip
            process = start(command, self.directory)
            self.addCleanup(process.kill)
            wait_for_text(os.path.join(self.directory, "stderr"), "round 2 of 100", process, 60)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            process.send_signal(stop)
            self.assertEqual(process.wait(60), 130, stop)
            made = self.report()
            self.assertFalse(made["complete"], stop)
            self.assertIn("Interrupted", " ".join(made["notes"]))
            self.assertIn("requests/s", Path(self.directory, "stdout").read_text())
            self.assertNotIn("Traceback", Path(self.directory, "stderr").read_text())
            self.assertEqual([pid for pid in children if _runs(pid)], [], stop)

    def test_killed(self) -> None:
        """It cannot end anything when it is killed; what it has started ends by itself, with its files."""
        for workers in ("1", "2"):
            command = (*LLMPROXY, "benchmark", "-c", "4", "--run", "closed", "--duration", "50", "--workers", workers)
            process = start(command, self.directory, TMPDIR=self.directory)
            self.addCleanup(process.kill)
            wait_for_text(os.path.join(self.directory, "stderr"), "round 1 of", process, 60)
            started = _descendants(process.pid)
            process.kill()
            process.wait(30)
            self.assertGreaterEqual(len(started), 2 + int(workers), workers)
            self.assertEqual([pid for pid in started if _runs(pid)], [], workers)
            self.assertEqual([name for name in os.listdir(self.directory) if name.startswith("llmproxy-")], [], workers)

    def test_nobody_there(self) -> None:
        """A gateway that cannot be reached is one line."""
        self.benchmark("--url", f"http://127.0.0.1:{free_port()}", status=1)
        self.assertIn("Error: gateway (http://127.0.0.1", self.said)
        self.assertIn("Connection refused", self.said)

    def test_any_gateway(self) -> None:
        """It needs its address and a token in the environment, which nobody sees; a wrong one is told as that."""
        with fast_upstream() as (upstream, _), running_proxy(upstream) as proxy:
            addresses = ("--url", f"http://127.0.0.1:{proxy.port}", "--direct", f"http://127.0.0.1:{upstream}")
            closed = (*addresses, "--run", "closed", "--pid", str(proxy.pid))
            made = self.benchmark(*closed, PROXY_TOKEN=proxy.token)
            self.assertEqual(made["closed"]["targets"]["gateway"]["errors"], {})
            self.assertGreater(made["memory_mib"]["idle"], 10)
            self.assertNotIn(proxy.token, self.said + json.dumps(made))
            self.benchmark(*closed, status=1, PROXY_TOKEN="sk-wr0ng")
            self.assertIn("answers 401: it takes no such token", self.said)
            self.assertNotIn("wr0ng", self.said)


def _descendants(pid: int | str) -> list[str]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return children + [one for child in children for one in _descendants(child)]


def _runs(pid: str) -> bool:
    """Soon it does not: what drains has the time that a slow machine takes for it."""
    for _ in range(600):
        try:
            if ") Z" in Path(f"/proc/{pid}/stat").read_text():
                return False
        except OSError:
            return False
        time.sleep(0.05)
    return True
