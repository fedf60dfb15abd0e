"""Settings of a sink, read one by one."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.errors import ConfigError
from llmproxy.sinks.sinksettings import SinkSettings


def problems(settings: dict[str, Any]) -> list[str]:
    read = SinkSettings(settings)
    read.url("url")
    read.required("key")
    read.number("count", 3, 1, 10)
    read.duration("wait", 1.0)
    read.size("most", 10)
    read.flag("sure", False)
    read.one_of("form", "a", "a", "b")
    read.texts("headers")
    try:
        read.done()
    except ConfigError as error:
        return list(error.problems)
    return []


class SinkSettingsTests(SynchronousTestCase):
    def test_values(self) -> None:
        """Values of a file and of a program are the same."""
        for wait, most, sure in ((2, 1024, True), ("2s", "1KiB", "true")):
            read = SinkSettings({"wait": wait, "most": most, "sure": sure, "count": "7", "headers": {"a": 1}})
            found = (read.duration("wait", 1.0), read.size("most", 1), read.flag("sure", False))
            self.assertEqual(found, (2, 1024, True), wait)
            self.assertEqual((read.number("count", 1), read.texts("headers")), (7, {"a": "1"}), wait)
            read.done()

    def test_defaults(self) -> None:
        """What is not said has its default."""
        read = SinkSettings({})
        self.assertEqual((read.duration("w", 1.5), read.size("m", 7), read.flag("s", True)), (1.5, 7, True))
        self.assertEqual((read.number("c", 3), read.one_of("f", "a", "a"), read.text("t", "")), (3, "a", ""))

    def test_all_problems_at_once(self) -> None:
        """Everything that is wrong, missing or unknown is said, each with its key."""
        found = problems(
            {"count": 11, "wait": "soon", "most": "lots", "sure": "maybe", "form": "c", "headers": [1], "kye": "x"}
        )
        self.assertEqual(
            [each.split(":")[0] for each in found],
            [
                "url",
                "key",
                "count",
                "wait",
                "most",
                "sure",
                "form",
                "headers",
                "kye",
            ],
        )
        self.assertIn("flush_interval, form, headers, key, ", found[-1])

    def test_urls(self) -> None:
        """A URL that cannot be asked is refused, without showing what stands in it."""
        good = ("http://127.0.0.1:9000/in", "https://example.com", "https://example.com/a?b=c")
        bad = (
            "ftp://example.com",
            "example.com",
            "http://u:secret@example.com",
            "http://e x",
            "http://x:0",
            "http://x/#y",
        )
        for url in good:
            self.assertEqual(problems({"url": url, "key": "k"}), [], url)
        for url in bad:
            found = problems({"url": url, "key": "k"})
            self.assertEqual(len(found), 1, url)
            self.assertNotIn("secret", found[0])
