"""What docs/embedding.md shows is run as it stands; and those who read it alone need nothing else."""

from __future__ import annotations

import ast
import os
import re
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

import llmproxy
from llmproxy import ApiRequest, ApiResponse, BytesBody, Record
from llmproxy.app.standardchain import NAMES
from llmproxy.testing import MemoryProxy, MemoryTokens

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs/embedding.md"
PUBLIC_MODULES = {"llmproxy", "llmproxy.errors", "llmproxy.testing"}

APIS = """
default_api: openai
apis:
  openai:
    base_url: https://api.openai.com
    allowed_endpoints: [/v1]
    allowed_methods: [GET, POST]
"""


def examples() -> list[tuple[int, str]]:
    """The Python of the document: the line that each block begins at, and its text."""
    text = DOCUMENT.read_text()
    blocks = re.finditer(r"```python\n(.*?)```", text, re.DOTALL)
    return [(text.count("\n", 0, block.start(1)) + 1, block.group(1)) for block in blocks]


def imports_of(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


class DocumentTests(SynchronousTestCase):
    def setUp(self) -> None:
        directory = self.mktemp()
        os.mkdir(directory)
        Path(directory, "apis.yaml").write_text(APIS)
        here = os.getcwd()
        os.chdir(directory)
        self.addCleanup(os.chdir, here)
        self.requests: list[ApiRequest] = []
        self.names: dict[str, Any] = {
            "__name__": "embedding",
            "reactor": Clock(),
            "application": MultiService(),
            "root": Resource(),
            "responder": self.responder,
        }

    def responder(self, request: ApiRequest) -> Any:
        self.requests.append(request)
        return succeed(ApiResponse(200, b"OK", [], BytesBody(b"ok")))

    def run_all(self) -> None:
        for line, text in examples():
            try:
                exec(compile("\n" * (line - 1) + text, str(DOCUMENT), "exec"), self.names)
            except Exception as error:
                raise AssertionError(f"the example at line {line} of {DOCUMENT.name} fails: {error!r}") from error

    def test_runs(self) -> None:
        """Every example runs, in the order of the document; the tests that it shows pass."""
        self.run_all()
        cases = [each for each in self.names.values() if isinstance(each, type) and issubclass(each, unittest.TestCase)]
        suite = unittest.TestSuite(
            unittest.defaultTestLoader.loadTestsFromTestCase(case) for case in cases if case.__module__ == "embedding"
        )
        result = unittest.TestResult()
        suite.run(result)
        self.assertEqual([trace for _, trace in result.failures + result.errors], [])
        self.assertEqual(result.testsRun, 3)

    def test_works(self) -> None:
        """What the examples leave behind does what the text says of it."""
        self.run_all()
        accounts, names = self.names["accounts"], self.names
        self.successResultOf(accounts.validate_token_with_tracking("our-token"))
        self.assertEqual(accounts.accounts["our-token"], ("p-1", 99))
        self.failureResultOf(accounts.validate_token("other"), names["TokenNotFound"])
        self.store(names["OurTeams"])
        posted: list[tuple[str, Any]] = []

        class Client:
            def post(self, url: str, json: Any) -> Any:
                posted.append((url, json))
                return succeed(ApiResponseLike(204))

        clock = Clock()
        collector = names["Collector"](clock, Client(), "https://collector.example")
        collector.record_batch([Record("r", "GET", "/v1", "192.0.2.1", 0.0, status=200)])
        clock.advance(1)
        self.assertEqual(posted, [("https://collector.example", [{"id": "r", "project": "", "status": 200}])])
        response = self.successResultOf(names["respond"](a_request(b"GET", b"/v1/models")))
        self.assertEqual((response.status, len(self.requests)), (200, 1))
        response = self.successResultOf(names["respond"](a_request(b"DELETE", b"/v1/models")))
        self.assertEqual((response.status, len(self.requests)), (405, 1))

    def store(self, teams: Any) -> None:
        rows = {"1": [("Search", "sk-search", 1)], "2": [("Old", "sk-old", 0)]}

        class Pool:
            def runQuery(self, sql: str, values: list[str]) -> Any:
                return succeed(rows.get(values[0], []))

        tokens = MemoryTokens({"one": "1", "two": "2", "three": "3"})
        proxy = MemoryProxy(project_store=teams(Pool()), token_validator=tokens)
        answers = [proxy.request("GET", "/v1/x", token=token) for token in ("one", "two", "three")]
        self.assertEqual([answer.status for answer in answers], [None, 403, 401])
        self.assertEqual(proxy.upstream.next().header("authorization"), "Bearer sk-search")

    def test_places(self) -> None:
        """The places that the document names are those of the chain, in their order."""
        text = DOCUMENT.read_text().replace("\n", " ")
        found = re.search(r"The places, outermost first: (.*?)\.", text)
        assert found is not None
        self.assertEqual(tuple(re.findall(r"`(\w+)`", found.group(1))), tuple(NAMES))


class ApiResponseLike:
    """As much of a treq response as the example reads."""

    def __init__(self, code: int) -> None:
        self.code = code


def a_request(method: bytes, target: bytes) -> ApiRequest:
    return ApiRequest(method, target, [], None, Record("r", method.decode(), target.decode(), "192.0.2.1", 0.0))


class OutsiderTests(SynchronousTestCase):
    def test_public_names_only(self) -> None:
        """The examples and the five tasks get by with the public names."""
        texts = {f"{DOCUMENT.name}:{line}": text for line, text in examples()}
        for path in sorted((ROOT / "tests/outsiders").glob("*.py")):
            texts[path.name] = path.read_text()
        private = [
            f"{where}: {name}"
            for where, text in texts.items()
            for name in imports_of(text)
            if name.split(".")[0] in ("llmproxy", "tests") and name not in PUBLIC_MODULES
        ]
        self.assertEqual(private, [])
        self.assertGreaterEqual(len(texts), 5 + len(examples()))

    def test_told(self) -> None:
        """The document names each public name."""
        text = DOCUMENT.read_text()
        unnamed = [name for name in llmproxy.__all__ if not re.search(rf"\b{name}\b", text)]
        self.assertEqual(unnamed, [])
