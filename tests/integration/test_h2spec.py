"""h2spec against a proxy over TLS: U{https://github.com/summerwind/h2spec}."""

from __future__ import annotations

import os
import re
import shutil

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue

from .certificates import Authority
from .harness import ProxyTestCase


def find_h2spec() -> str | None:
    """On the path, where C{go install} puts it, or where C{H2SPEC} says."""
    places = os.pathsep.join([os.environ.get("PATH", ""), os.path.expanduser("~/go/bin")])
    return os.environ.get("H2SPEC") or shutil.which("h2spec", path=places)


H2SPEC = find_h2spec()


class ConformanceTests(ProxyTestCase):
    """All that h2spec knows, what is only recommended too."""

    timeout = 120
    if H2SPEC is None:
        skip = "h2spec is not installed: go install github.com/summerwind/h2spec/cmd/h2spec@latest"

    def listen(self) -> str:
        certificate, key = Authority(self.mktemp()).issue("localhost")
        return f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"

    async def test_strict(self) -> None:
        """Each of its tests passes: of 146, and the one that is strict."""
        arguments = ["--tls", "--insecure", "--strict", "--port", str(self.port), "--path", "/health"]
        output, errors, code = await getProcessOutputAndValue(str(H2SPEC), arguments, env=os.environ, reactor=reactor)
        shown = output.decode(errors="replace")
        totals = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", shown)
        assert totals is not None, (shown, errors)
        failures = shown.partition("Failures:")[2]
        self.assertEqual((totals[2], totals[3], totals[4], code), (totals[1], "0", "0", 0), failures)
        self.assertGreaterEqual(int(totals[1]), 146)
        self.assertEqual(self.flushLoggedErrors(), [])
