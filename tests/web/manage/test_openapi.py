"""The document: what it says is what is done."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import succeed
from twisted.internet.testing import MemoryReactorClock

from llmproxy.app.tree import live_numbers, management_of
from llmproxy.config import APIConfig, APIProviderConfig
from llmproxy.core.roles import PERMISSIONS, ROLES, roles_with
from llmproxy.errors import Unavailable
from llmproxy.management.budgets import BudgetRules
from llmproxy.management.state import State
from llmproxy.service import TransparentProxy
from llmproxy.sinks.metrics import ProxyMetrics
from llmproxy.web.livefeed import LiveFeed, Source
from llmproxy.web.manage.agents import AgentRoutes
from llmproxy.web.manage.budgets import BudgetRoutes

from ...properties import examples
from .api import API_KEY, MANAGEMENT_TOKEN, Answer
from .cacheapi import CacheManageTestCase
from .peopleapi import ANN, PeopleManageTestCase
from .schemas import Schemas
from .test_agents import AGENTS
from .test_audit import AuditApiTestCase
from .test_breaker import BreakerManageTestCase
from .test_config import ConfigManageTestCase
from .test_exchanges import ExchangesManageTestCase
from .test_sinks import SinksManageTestCase
from .test_upstreams import UpstreamsManageTestCase
from .usageapi import UsageManageTestCase

RELATED = {
    *("unset_limits", "budget_duration", "soft_budget", "hard_budget", "over_budget", "downgrade"),
    *("apis", "endpoints", "source_addresses"),
}
"""Limits that name what must be there, or that contradict each other as easily as not."""


class DocumentCase(
    BreakerManageTestCase,
    UpstreamsManageTestCase,
    SinksManageTestCase,
    CacheManageTestCase,
    ConfigManageTestCase,
    ExchangesManageTestCase,
    UsageManageTestCase,
    PeopleManageTestCase,
    AuditApiTestCase,
):
    """With all that the proxy serves, see L{DocumentTests.test_all_of_it}."""

    def resource(self, *arguments: Any, **more: Any) -> Any:
        feed = LiveFeed(
            self.clock, {"numbers": Source("usage.read", lambda: succeed(live_numbers(ProxyMetrics())))}, lambda: True
        )
        database = self.database
        state = State(self.clock.seconds, database.projects, database.tokens, self.directory, self.quota)
        budgets = BudgetRoutes(BudgetRules(state, self.reports)).routes()
        routes = [budgets, AgentRoutes(lambda: (AGENTS, "openai")).routes(), *more.get("more", ())]
        return super().resource(*arguments, **{"feed": feed, **more, "more": routes})

    def setUp(self) -> None:
        super().setUp()
        self.document = self.ask("GET", "/openapi.json").json
        self.schemas = Schemas(self.document["components"]["schemas"])

    def operations(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Path, method and what is said of each."""
        return [
            (path, method.upper(), said)
            for path, methods in self.document["paths"].items()
            for method, said in methods.items()
        ]

    def check(self, said: dict[str, Any], answer: Answer) -> None:
        """The answer is one that the document knows."""
        documented = said["responses"].get(str(answer.status))
        self.assertIsNotNone(documented, (said["operationId"], answer.status, answer.body))
        kind = answer.header("content-type")
        content = documented.get("content", {})
        if answer.status == 200 and kind in content and content[kind]["schema"] == {"type": "string"}:
            return
        if answer.status == 204:
            self.assertEqual((content, answer.body), ({}, b""))
            return
        self.assertIn(kind, content)
        self.assertEqual(self.schemas.faults(answer.json, content[kind]["schema"]), [], said["operationId"])
        for name in documented.get("headers", {}):
            if name not in ("Link", "Idempotency-Replayed"):
                self.assertIsNotNone(answer.header(name), (said["operationId"], answer.status, name))


class DocumentTests(DocumentCase):
    def test_shape(self) -> None:
        """It is OpenAPI 3.1; every operation has a name of its own, a sentence, and says whose it is."""
        self.assertEqual(self.document["openapi"], "3.1.0")
        names = [said["operationId"] for _, _, said in self.operations()]
        self.assertEqual(len(set(names)), len(names))
        for path, _, said in self.operations():
            self.assertRegex(said["summary"], r"\A[A-Z].*\.\Z")
            self.assertIn(said["x-permission"], PERMISSIONS)
            self.assertEqual(said["x-roles"], list(roles_with(said["x-permission"])), (path, said))
            in_path = [each["name"] for each in said["parameters"] if each["in"] == "path"]
            self.assertEqual(in_path, re.findall(r"\{(\w+)\}", path), (path, said))

    def test_all_of_it(self) -> None:
        """What the proxy serves is what the document of these tests tells of."""
        api = APIProviderConfig(base_url="http://127.0.0.1:9", allowed_endpoints=["/v1"], allowed_methods=["GET"])
        proxy = TransparentProxy(
            MemoryReactorClock(), APIConfig({"x": api}, "x"), database_url=":memory:", management_token=MANAGEMENT_TOKEN
        )
        served: Any = management_of(proxy)
        self.assertEqual(
            {f"/manage{path}": {method.decode().lower() for method in each} for path, each in served.routes.items()},
            {path: set(each) for path, each in self.document["paths"].items()},
        )

    def test_explained(self) -> None:
        """The manual tells of each route, and of who may use it, what is true."""
        manual = (Path(__file__).parents[3] / "docs" / "management.md").read_text()
        told, path = {}, ""
        for row in re.findall(r"(?m)^\| (?:`(/manage/[^`]+)`)? ?\| ([A-Z]+) \|.*\| ([a-z, ]+) \|$", manual):
            path = row[0] or path
            told[path, row[1]] = list(ROLES) if row[2] == "all" else row[2].split(", ")
        self.assertEqual(told, {(path, method): said["x-roles"] for path, method, said in self.operations()})

    def test_references(self) -> None:
        """Whatever it refers to is there, and nothing is there that it does not refer to."""
        text = json.dumps(self.document)
        named = set(re.findall(r'"#/components/schemas/(\w+)"', text))
        self.assertEqual(named, set(self.document["components"]["schemas"]))
        self.assertNotRegex(text, r"[CLIB]\{|@ivar")

    def test_bounded(self) -> None:
        """Every text, number and object that is accepted has bounds."""
        for _, _, said in self.operations():
            accepted = [each["schema"] for each in said["parameters"]]
            if "requestBody" in said:
                accepted.append(said["requestBody"]["content"]["application/json"]["schema"])
            for schema in accepted:
                self.assertEqual(self.unbounded(schema), [], said["operationId"])

    def unbounded(self, schema: dict[str, Any]) -> list[Any]:
        schema = self.schemas.resolve(schema)
        found = []
        for inner in (*schema.get("anyOf", ()), *schema.get("properties", {}).values()):
            found += self.unbounded(inner)
        kind = schema.get("type")
        bound = {"string": "maxLength", "integer": "maximum", "array": "maxItems"}.get(kind)
        if bound is not None and bound not in schema and "{0,63}" not in schema.get("pattern", ""):
            found += [schema] if schema.get("format") != "date-time" else []
        if kind == "object" and schema.get("additionalProperties", True) is not False and "maxProperties" not in schema:
            found.append(schema)
        return found


class DrivenTests(DocumentCase):
    """
    The API driven with requests that were made from the document.

    @cvar examples: of each operation.
    """

    examples = examples(25)

    def setUp(self) -> None:
        super().setUp()
        self.project_id = self.project()
        self.secret = self.token(self.project_id)[1]
        self.write(1)
        self.succeeded: set[str] = set()

    def ids(self) -> dict[str, st.SearchStrategy[str]]:
        """What stands for the names of paths: mostly what is there."""
        token, _ = self.token(self.project_id)
        admin = self.ask("POST", "/admins", {"name": "a" + token, "role": "auditor"}).json["id"]
        there = {"project_id": self.project_id, "token_id": token, "admin_id": admin, "event_id": "id-000"}
        there |= {"api": "openai", "upstream": "azure", "session_id": self.ask("POST", "/sessions").json["id"]}
        there |= {"request_id": "r-2", "sink": "hook"}
        person = self.done(self.people.sign_in(evolve(ANN, subject=token)))
        self.let_in(person, token)
        there |= {"person_id": person.id, "device_id": f"d{token}"}
        strange = st.one_of(st.just("x"), st.text(min_size=1, max_size=64))
        return {name: st.one_of(st.just(one), st.just(one), strange) for name, one in there.items()}

    def request(
        self, path: str, said: dict[str, Any], ids: dict[str, Any], body: Any
    ) -> st.SearchStrategy[tuple[str, Any, dict[str, str]]]:
        """Target, body and header fields."""
        names = st.fixed_dictionaries({name: ids.get(name, st.just("x")) for name in re.findall(r"\{(\w+)\}", path)})
        given = {"query": {}, "header": {}, "path": {}}
        for each in said["parameters"]:
            given[each["in"]][each["name"]] = self.schemas.valid(each["schema"])
        queries = st.fixed_dictionaries({}, optional=given["query"])
        fields = st.fixed_dictionaries({}, optional=given["header"])
        return st.tuples(names, queries, fields, body).map(
            lambda made: (_target(path, made[0], made[1]), made[3], made[2])
        )

    def fitting(self, body: Any) -> Any:
        """A body that names what is there, where it names anything."""
        if isinstance(body, dict) and len(body) % 2:
            body = {name: value for name, value in body.items() if name not in RELATED}
        if isinstance(body, dict) and isinstance(body.get("project_id"), str) and len(body["project_id"]) % 2:
            return {**body, "project_id": self.project_id}
        if isinstance(body, dict) and isinstance(body.get("api_keys"), dict) and len(body["api_keys"]) % 2:
            return {
                **body,
                "api_keys": dict(zip(("anthropic", "gemini", "openai"), body["api_keys"].values(), strict=False)),
            }
        if isinstance(body, dict) and "hash" in body and "token" not in body:
            return {"hash": sha256(self.secret).hexdigest()}
        return body

    def drive(self, path: str, method: str, said: dict[str, Any], *, valid: bool) -> None:
        body: st.SearchStrategy[Any] = st.none()
        if "requestBody" in said:
            schema = said["requestBody"]["content"]["application/json"]["schema"]
            body = self.schemas.valid(schema).map(self.fitting) if valid else self.schemas.invalid(schema)

        requests = self.request(path, said, self.ids(), body)

        @settings(max_examples=self.examples, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        @given(st.data())
        def run(data: st.DataObject) -> None:
            target, content, fields = data.draw(requests)
            raw = None if "requestBody" not in said else json.dumps(content).encode()
            headers = {name: value for name, value in fields.items() if value.isascii()}
            answer = self.ask(method, target, raw=raw, headers=headers)
            self.check(said, answer)
            self.assertLess(answer.status, 500, answer.body)
            if answer.status < 300:
                self.succeeded.add(said["operationId"])
            if not valid:
                self.assertGreaterEqual(answer.status, 400, (said["operationId"], content))

        run()

    def test_valid(self) -> None:
        """What the document allows is answered as it says, and each operation does what it is for."""
        for path, method, said in self.operations():
            self.drive(path, method, said, valid=True)
            self.ask("PATCH", f"/projects/{self.project_id}", {"is_active": True})
        self.assertEqual({said["operationId"] for _, _, said in self.operations()}, self.succeeded)

    def test_invalid(self) -> None:
        """What the document does not allow is refused, with a status that it names."""
        for path, method, said in self.operations():
            if "requestBody" in said:
                self.drive(path, method, said, valid=False)

    def test_problem_details(self) -> None:
        """The other shape of errors is documented too."""
        for path, method, said in self.operations():
            if "{" in path:
                target = _target(path, dict.fromkeys(re.findall(r"\{(\w+)\}", path), "x"), {})
                answer = self.ask(method, target, raw=b"{", headers={"Accept": "application/problem+json"})
                self.assertEqual(answer.header("content-type"), "application/problem+json", (path, method, said))
                self.check(said, answer)

    def test_refusals(self) -> None:
        """So are answers to those who may not ask, and while the database is away."""
        auditor = self.ask("POST", "/admins", {"name": "auditor", "role": "auditor"}).json["token"]
        for path, method, said in self.operations():
            target = _target(path, dict.fromkeys(re.findall(r"\{(\w+)\}", path), "x"), {})
            for authorization, status in (("Bearer no", 401), (f"Bearer {auditor}", 403)):
                answer = self.ask(method, target, raw=b"{}", headers={"Authorization": authorization})
                self.check(said, answer)
                if status == 401 or "auditor" not in said["x-roles"]:
                    self.assertEqual(answer.status, status, (authorization, status))
            self.clock.advance(60)

    def test_no_database(self) -> None:
        """While the database is away, every operation that needs it says 503, as documented."""
        bodies = {
            "project_create": {"name": "n", "api_key": API_KEY},
            "project_rotate_key": {"api_key": API_KEY},
            "token_create": {"project_id": "x", "duration_minutes": 1},
            "token_update": {"is_active": True},
            "token_find": {"hash": "0" * 64},
            "admin_create": {"name": "x", "role": "owner"},
        }
        self.successResultOf(self.database.close())
        for path, method, said in self.operations():
            name = said["operationId"]
            target = _target(path, dict.fromkeys(re.findall(r"\{(\w+)\}", path), "x"), {})
            answer = self.ask(method, target, bodies.get(name, {}))
            self.check(said, answer)
            without = {
                "agents_show": 200,
                "agents_versions": 200,
                "document_read": 200,
                "admin_self": 200,
                "cache_stats": 200,
                "cache_purge": 400,
                "breaker_list": 200,
                "sink_list": 200,
                "upstream_list": 200,
                "live_watch": 200,
                "live_read": 200,
                "config_show": 200,
                "sink_test": 404,
                "sink_letters": 404,
                "sink_redeliver": 404,
                "exchange_list": 200,
                "exchange_cut": 404,
                "config_reload": 200,
                "config_check": 400,
                "process_upgrade": 202,
                "upstream_drain": 404,
                "upstream_undrain": 404,
                "usage_read": 200,
                "usage_records": 200,
            }
            self.assertEqual(answer.status, without.get(name, Unavailable.status), name)


def _target(path: str, names: dict[str, str], query: dict[str, Any]) -> str:
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    text = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in query.items()}
    return path.removeprefix("/manage") + (f"?{urlencode(text)}" if text else "")
