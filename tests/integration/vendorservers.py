"""
Langfuse, Lunary and Helicone as their documents have them: servers that take what is documented and refuse all else.

Read 2026-11-30: C{fern/apis/server/definition/ingestion.yml} of langfuse/langfuse; C{runs/ingest.ts} of
lunary-ai/lunary and U{https://docs.lunary.ai/api/runs/ingest-run-events};
U{https://docs.helicone.ai/getting-started/integration-method/manual-logger-curl}.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from uuid import UUID

import msgspec

Answer = tuple[int, Any]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is not documented is refused."""


class TraceBody(Strict):
    id: str
    timestamp: datetime | None = None
    name: str | None = None
    userId: str | None = None
    input: Any = None
    output: Any = None
    sessionId: str | None = None
    release: str | None = None
    version: str | None = None
    metadata: Any = None
    tags: list[str] | None = None
    environment: str | None = None
    public: bool | None = None


class SpanBody(Strict):
    id: str
    traceId: str
    name: str | None = None
    startTime: datetime | None = None
    endTime: datetime | None = None
    metadata: Any = None
    input: Any = None
    output: Any = None
    level: Literal["DEBUG", "DEFAULT", "WARNING", "ERROR"] | None = None
    statusMessage: str | None = None
    parentObservationId: str | None = None
    version: str | None = None
    environment: str | None = None


class GenerationBody(SpanBody):
    completionStartTime: datetime | None = None
    model: str | None = None
    modelParameters: dict[str, str | float | bool | list[str] | None] | None = None
    usageDetails: dict[str, int] | None = None
    costDetails: dict[str, float] | None = None


class TraceEvent(Strict, tag="trace-create", tag_field="type"):
    id: str
    timestamp: datetime
    body: TraceBody


class SpanEvent(Strict, tag="span-create", tag_field="type"):
    id: str
    timestamp: datetime
    body: SpanBody


class GenerationEvent(Strict, tag="generation-create", tag_field="type"):
    id: str
    timestamp: datetime
    body: GenerationBody


class Ingestion(Strict):
    batch: list[TraceEvent | SpanEvent | GenerationEvent]
    metadata: Any = None


class TokensUsage(Strict):
    prompt: int = 0
    completion: int = 0
    promptCached: int = 0


class RunError(Strict):
    message: str
    stack: str = ""


class RunEvent(Strict):
    type: Literal["llm", "chain", "agent", "tool", "chat", "thread"]
    event: Literal["start", "end", "error"]
    runId: UUID
    timestamp: datetime
    name: str | None = None
    input: Any = None
    output: Any = None
    tags: list[str] | None = None
    userId: str | None = None
    extra: dict[str, Any] | None = None
    metadata: dict[str, str | float | bool | list[str | float | bool]] | None = None
    tokensUsage: TokensUsage | None = None
    error: RunError | None = None


class Runs(Strict):
    events: list[RunEvent]


class Moment(Strict):
    seconds: int
    milliseconds: int


class Timing(Strict):
    startTime: Moment
    endTime: Moment
    timeToFirstToken: int | None = None


class ProviderRequest(Strict):
    url: Literal["custom-model-nopath"]
    json: dict[str, Any]
    meta: dict[str, str]


class ProviderResponse(Strict):
    status: int
    headers: dict[str, str]
    json: dict[str, Any] | None = None
    textBody: str | None = None


class Logged(Strict):
    providerRequest: ProviderRequest
    providerResponse: ProviderResponse
    timing: Timing | None = None


class VendorServer:
    """
    A server in a thread, which ends with C{close}.

    @param expected: the C{Authorization} that is asked for.
    @ivar requests: path and decoded body of each request that was right.
    @ivar wrong: why others were not.
    @ivar answer: called with path and body before anything is looked at; an answer, or C{None} to go on.
    """

    path = "/"

    def __init__(self, expected: str) -> None:
        self.requests: list[Any] = []
        self.wrong: list[str] = []
        self.answer: Callable[[bytes], Answer | None] = lambda body: None
        server = self
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with lock:
                    status, said = server.handle(self.path, dict(self.headers.items()), body, expected)
                data = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *values: Any) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def handle(self, path: str, headers: dict[str, str], body: bytes, expected: str) -> Answer:
        answer = self.answer(body)
        if answer is not None:
            return answer
        if path != self.path or headers.get("Content-Type") != "application/json":
            self.wrong.append(f"{path} {headers}")
            return 404, {}
        if headers.get("Authorization") != expected:
            self.wrong.append(f"Authorization: {headers.get('Authorization')}")
            return 401, {"message": "wrong key"}
        return self.take(body)

    def take(self, body: bytes) -> Answer:
        raise NotImplementedError


class LangfuseServer(VendorServer):
    """
    @ivar seen: ids of items that were taken, which are not taken twice.
    @ivar poisoned: ids of items that are refused.
    """

    path = "/api/public/ingestion"

    def __init__(self, public: str, secret: str) -> None:
        super().__init__("Basic " + base64.b64encode(f"{public}:{secret}".encode()).decode())
        self.seen: dict[str, Any] = {}
        self.poisoned: set[str] = set()

    def take(self, body: bytes) -> Answer:
        if len(body) > 3_500_000:
            return 413, {"message": "too large"}
        raw = json.loads(body)
        self.requests.append(raw)
        successes, errors = [], []
        for item in raw["batch"]:
            if item["id"] in self.poisoned:
                errors.append({"id": item["id"], "status": 400, "message": "no"})
                continue
            try:
                msgspec.convert({"batch": [item]}, Ingestion)
            except msgspec.ValidationError as error:
                self.wrong.append(str(error))
                errors.append({"id": item.get("id", ""), "status": 400, "message": str(error)})
            else:
                self.seen.setdefault(item["id"], item)
                successes.append({"id": item["id"], "status": 201})
        return 207, {"successes": successes, "errors": errors}


class LunaryServer(VendorServer):
    """@ivar runs: the events of each run, by its id."""

    path = "/v1/runs/ingest"

    def __init__(self, key: str) -> None:
        super().__init__(f"Bearer {key}")
        self.runs: dict[str, list[Any]] = {}

    def take(self, body: bytes) -> Answer:
        raw = json.loads(body)
        if not isinstance(raw, dict) or not raw.get("events"):
            self.wrong.append("Missing events payload.")
            return 500, {"message": "Missing events payload."}
        self.requests.append(raw)
        return 200, {"results": [self._one(event) for event in raw["events"]]}

    def _one(self, event: Any) -> Any:
        run = event.get("runId")
        try:
            msgspec.convert({"events": [event]}, Runs)
        except msgspec.ValidationError as error:
            self.wrong.append(str(error))
            return {"id": run, "success": False, "error": str(error)}
        if event["event"] == "start" and run in self.runs:
            return {"id": run, "success": False, "error": "Run with this ID already exists in the database."}
        self.runs.setdefault(run, []).append(event)
        return {"id": run, "success": True}


class HeliconeServer(VendorServer):
    """@ivar logged: what was logged last of each request, by its id."""

    path = "/custom/v1/log"

    def __init__(self, key: str) -> None:
        super().__init__(f"Bearer {key}")
        self.logged: dict[str, Any] = {}

    def take(self, body: bytes) -> Answer:
        if len(body) > 10 * 1024 * 1024:
            return 400, "Payload too large"
        raw = json.loads(body)
        try:
            found = msgspec.convert(raw, Logged)
        except msgspec.ValidationError as error:
            self.wrong.append(str(error))
            return 400, {"error": str(error)}
        for name, value in found.providerRequest.meta.items():
            # They become header fields there, which throws where they cannot.
            if not _TOKEN.fullmatch(name) or not value.isascii() or not value.isprintable():
                self.wrong.append(f"{name}: {value}")
                return 500, {"error": "invalid header"}
        self.requests.append(raw)
        self.logged[found.providerRequest.meta["Helicone-Request-Id"]] = raw
        return 200, {}
