"""The screen of C{llmproxy top}."""

from __future__ import annotations

from typing import Any

import click
from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from llmproxy.cli.top_screen import View, cell_length, lines, money, number, seconds, size, sparkline
from llmproxy.core.watching import Watched

from ..tables import row

VIEW = View("http://127.0.0.1:8080", "12:34:56", colours=False)
NUMBERS = {
    "in_flight": 2,
    "requests": 100,
    "errors": 1,
    "cache_hits": 0,
    "tokens": 1000,
    "cost": "1.5",
    "latency_p50": 0.5,
    "latency_p95": 4.0,
    "first_token_p50": None,
    "first_token_p95": None,
}
EXCHANGE = {
    "id": "r1",
    "age": 3.0,
    "api": "openai",
    "upstream": "eu",
    "endpoint": "/v1/chat/completions",
    "method": "POST",
    "model": "gpt-4o",
    "project_id": "p",
    "token_id": "t",
    "client": "10.0.0.1",
    "status": 200,
    "streamed": True,
    "bytes_in": 100,
    "bytes_out": 5000,
    "attempts": 1,
}
UPSTREAM = {"api": "openai", "upstream": "eu", "health": "well", "requests": 100, "circuits": {"open": 0}}


class ScreenTests(SynchronousTestCase):
    def watched(self, exchanges: int = 2, upstreams: int = 2, **more: Any) -> Watched:
        watched = Watched()
        watched.hear("numbers", NUMBERS, 0.0)
        watched.hear("numbers", {**NUMBERS, "requests": 150, "tokens": 2000, "cost": "2.0"}, 5.0)
        rows = [{**EXCHANGE, "age": float(at), "client": f"10.0.0.{at}", **more} for at in range(exchanges)]
        watched.hear("exchanges", {"total": exchanges, "exchanges": rows}, 5.0)
        watched.hear("upstreams", [{**UPSTREAM, "upstream": f"u{at}"} for at in range(upstreams)], 5.0)
        watched.history.extend([0.0, 100.0, 200.0])
        return watched

    def test_whole(self) -> None:
        """A wide terminal shows all of it."""
        text = "\n".join(lines(self.watched(), VIEW, 5.0, 200, 50))
        for words in (
            "llmproxy top  http://127.0.0.1:8080  12:34:56",
            "running 2  streams 2  requests/s 10.0  errors/s 0.00  cache hits/s 0.0  tokens/s 200  spend/h $360.00",
            "150 requests  1 errors  2000 tokens  $2.00  whole p50 500ms p95 4.0s  first token p50 - p95 -",
            "tokens/s ▁▅█",
            "q quit  p pause  s sort: age",
            "API     UPSTREAM  HEALTH  RUNNING  REQ/S  FAILED  LATENCY  OPEN  KEYS ASIDE",
            "2 running",
            "POST /v1/chat/completions",
            "200 stream  4.9K",
        ):
            self.assertIn(words, text)

    def test_fits(self) -> None:
        """No line is wider than the terminal and no screen higher, whatever comes and however small it is."""
        watched = self.watched(60, 30, model="模型" * 40)
        watched.exchanges[0]["model"] = "\x1b[31mred\n" * 9  # type: ignore[index]
        for width in (1, 20, 24, 40, 79, 80, 132, 300):
            for height in (1, 4, 5, 10, 24, 60):
                shown = lines(watched, VIEW, 5.0, width, height)
                with row(width, height):
                    self.assertLessEqual(len(shown), max(height, 4))
                    self.assertLessEqual(max(map(cell_length, shown)), max(width, 20))
                    self.assertNotIn("\x1b", "".join(shown))

    def test_shares(self) -> None:
        """Many upstreams leave room for exchanges, and few of either leave it to the other."""
        shown = lines(self.watched(40, 40), VIEW, 5.0, 120, 40)
        self.assertGreater(sum("u1" in line for line in shown), 0)
        self.assertGreater(sum("POST" in line for line in shown), 8)
        shown = lines(self.watched(40, 1), VIEW, 5.0, 120, 40)
        self.assertGreater(sum("POST" in line for line in shown), 25)

    def test_narrow(self) -> None:
        """What matters most stays."""
        text = "\n".join(lines(self.watched(), VIEW, 5.0, 40, 30))
        self.assertIn("API     UPSTREAM  HEALTH", text)
        self.assertIn("AGE  API     MODEL   STATUS", text)
        self.assertNotIn("TOKEN", text)

    def test_order(self) -> None:
        """The oldest first, or those that have sent the most."""
        watched = self.watched(3)
        for at, each in enumerate(watched.exchanges or ()):
            each["bytes_out"] = 3000 - 1000 * at
        clients = ["10.0.0.2", "10.0.0.1", "10.0.0.0"]
        for sort, expected in (("age", clients), ("out", clients[::-1]), ("model", clients), ("api", clients)):
            shown = lines(watched, evolve(VIEW, sort=sort), 5.0, 200, None)
            found = [word for line in shown for word in line.split() if word in clients]
            with row(sort):
                self.assertEqual(found, expected)

    def test_states(self) -> None:
        """Nothing yet, nothing running, paused, away; parts that somebody may not see are not there."""
        self.assertIn("waiting for the first numbers", lines(Watched(), VIEW, 0.0, 80, 24))
        self.assertIn("0 running: nothing now", lines(self.watched(0), VIEW, 5.0, 80, 24))
        self.assertTrue(lines(self.watched(), evolve(VIEW, paused=True), 5.0, 80, 24)[0].endswith("paused"))
        self.assertEqual(lines(self.watched(), evolve(VIEW, trouble="it is away"), 5.0, 80, 24)[1], "it is away")
        watched = self.watched()
        watched.upstreams = watched.exchanges = None
        text = "\n".join(lines(watched, VIEW, 5.0, 80, 24))
        self.assertNotIn("HEALTH", text)
        self.assertIn("streams -", text)

    def test_colours(self) -> None:
        """An upstream that is not well stands out; letters are the same with and without."""
        watched = self.watched()
        watched.upstreams[1]["health"] = "ejected"  # type: ignore[index]
        plain = lines(watched, VIEW, 5.0, 120, 40)
        coloured = lines(watched, evolve(VIEW, colours=True), 5.0, 120, 40)
        self.assertEqual([click.unstyle(line) for line in coloured], plain)
        self.assertEqual(
            [line for line in coloured if "\x1b[33m" in line],
            [coloured[plain.index(x)] for x in plain if "ejected" in x],
        )

    def test_ascii(self) -> None:
        """A terminal without other letters."""
        for line in lines(self.watched(), evolve(VIEW, unicode=False), 5.0, 120, 40):
            self.assertTrue(line.isascii(), line)

    def test_words(self) -> None:
        for found, expected in (
            (sparkline([0, 5, 10], 3), "▁▅█"),
            (sparkline([0, 5, 10], 2), "▅█"),
            (sparkline([], 5), ""),
            (sparkline([0, 0], 5), "▁▁"),
            (number(9.96), "10.0"),
            (number(12345), "12.3k"),
            (number(1234567), "1.23M"),
            (number(5e9), "5G"),
            (money(0), "$0.00"),
            (money(0.0123), "$0.0123"),
            (money(1234.5), "$1,234.50"),
            (seconds(None), "-"),
            (seconds(0.25), "250ms"),
            (seconds(59.94), "59.9s"),
            (seconds(61), "1m01s"),
            (seconds(3720), "1h02m"),
            (size(1023), "1023"),
            (size(1536), "1.5K"),
            (size(None), "0"),
        ):
            with row(expected):
                self.assertEqual(found, expected)
