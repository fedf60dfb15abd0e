"""Tests for L{llmproxy.config.pasted}."""

from __future__ import annotations

import builtins
import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from llmproxy.config.pasted import check_pasted
from tests.tables import row

GOOD = """
default_api: x
apis:
  x:
    base_url: https://x.example
    allowed_endpoints: [/v1]
    allowed_methods: [POST]
"""


class PastedTests(SynchronousTestCase):
    def setUp(self) -> None:
        # What is imported late is imported by then.
        check_pasted(GOOD + "redis: {url: x}\ntls: {client_ca: /c}\nsinks: [{name: a, type: file}]\n")
        self.patch(os, "environ", {"SECRET": "canary-of-the-environment"})

        def refuse(*arguments: Any, **more: Any) -> Any:
            raise AssertionError(f"a file is touched: {arguments}")

        self.patch(builtins, "open", refuse)
        self.patch(os.path, "isfile", refuse)

    def test_good(self) -> None:
        """Variables, secrets and files are as good as anything."""
        for more in (
            "",
            "    timeouts: {connect: '${CONNECT}', silence: '${S:-5m}'}\n",
            "    key: ${SECRET}\n    own_key_for: all\n",
            "    key: file:/etc/passwd\n    own_key_for: all\n",
            "    connection: {ca_file: /etc/shadow}\n",
            "redis: {url: '${REDIS_URL}'}\n",
            "tls: {certificates: [{cert: /a, key: /b}], client_ca: /c}\n",
            "limits: {connections: '${MANY}'}\n",
        ):
            with row(self, more):
                self.assertEqual(check_pasted(GOOD + more), ())
        self.assertEqual(check_pasted(GOOD.replace("https://x.example", "${BASE}")), ())

    def test_wrong(self) -> None:
        """What is wrong is said with its line, in the words of C{llmproxy check}; a secret that is pasted is not."""
        for text, words in (
            ("apis: [", "pasted:"),
            ("", "is empty"),
            (GOOD.replace("POST", "FETCH ME"), "pasted:7:"),
            (GOOD + "nonsense: 1\n", "nonsense"),
            (GOOD + "    timeouts: {connect: soon}\n", "expected a duration"),
            (GOOD + "    key: sk-canary-canary-canary-canary\n", "a key itself does not stand in the file"),
        ):
            with row(self, text):
                found = "; ".join(check_pasted(text))
                self.assertIn(words, found)
                self.assertNotIn("canary", found)
