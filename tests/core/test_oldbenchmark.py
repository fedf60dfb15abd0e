"""The figures of the Go program's benchmark."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.core.oldbenchmark import Asked, Figures, table


def rows(figures: Figures, cache: bool = False) -> dict[str, str]:
    """The rows of a table by their names; each line is as wide as the border."""
    found = {}
    for line in table(figures, cache):
        if line.startswith("| ") and "Response code" not in line:
            name, value = line.strip("|").split("|")
            found[name.strip()] = value.strip()
    return found


class TableTests(SynchronousTestCase):
    def test_figures(self) -> None:
        """Counts are of all, latencies of those that succeeded."""
        asked = [Asked(number / 1000, 200, upstream=number / 2000) for number in range(1, 11)]
        asked += [Asked(9.0, 500), Asked(9.0, 0, failure="refused")]
        found = rows(Figures(4, 2.0, asked), cache=True)
        expected = {
            "Total requests": "12",
            "Concurrency": "4",
            "Duration (s)": "2.00",
            "Success": "10",
            "Failed": "2",
            "Requests/sec": "6.00",
            "Avg latency": "5.500ms",
            "Min latency": "1.000ms",
            "Max latency": "10.000ms",
            "p90 latency": "9.000ms",
            "p90 mean latency": "5.000ms",
            "Cache hits": "0",
            "Upstream latency avg": "2.750ms",
            "Proxy latency max": "5.000ms",
            "200": "10",
            "500": "1",
            "Network error": "1",
        }
        self.assertEqual({name: found[name] for name in expected}, expected)

    def test_nothing_known_of_upstream(self) -> None:
        """What nobody says is not made up."""
        found = rows(Figures(1, 0.5, [Asked(2.5, 200, is_hit=True)]), cache=True)
        self.assertEqual((found["Upstream latency"], found["Proxy latency"], found["Cache hits"]), ("N/A", "N/A", "1"))
        self.assertEqual(found["Avg latency"], "2.500s")
        self.assertNotIn("Cache hits", rows(Figures(1, 0.5, [])))

    def test_nothing_succeeded(self) -> None:
        """A run in which all failed has its table too."""
        found = rows(Figures(1, 0.0, [Asked(0.1, 0)]))
        self.assertEqual((found["Avg latency"], found["Requests/sec"], found["Success"]), ("0", "0.00", "0"))
        self.assertNotIn("Upstream latency", found)

    def test_width(self) -> None:
        """The lines that scripts cut at bars are as they were: 21 and 22 characters."""
        lines = list(table(Figures(1, 1.0, [Asked(0.00002, 200)])))
        self.assertIn("| Total requests        | 1                      |", lines)
        self.assertIn("| Response code                                  |", lines)
        self.assertIn("| Avg latency           | 20.000µs               |", lines)
