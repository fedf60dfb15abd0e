"""
Readers of bodies as servers have them.

A reader gives C{None} for a body that it refuses, else the values of C{model} that it hands on: the text of each field,
or for JSON the one value, as JSON. A file is C{"(a file)"}.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from .generator import Body

FILE = "(a file)"
Values = list[str]
Reader = Callable[[Body], "Values | None"]

HERE = Path(__file__).parent


def python_readers() -> dict[str, Reader]:
    """By name; those whose package is missing are left out."""
    found: dict[str, Reader] = {"json": _json}
    for name, make in (("werkzeug", _werkzeug), ("python-multipart", _python_multipart), ("starlette", _starlette)):
        try:
            found[name] = make()
        except ImportError:
            pass
    try:
        found["django"] = _django()
    except ImportError:
        pass
    return found


def _text(document: object) -> Values | None:
    if not isinstance(document, dict):
        return None
    return [json.dumps(document["model"])] if "model" in document else []


def _json(body: Body) -> Values | None:
    """The standard library's, to which Flask and Django give the bytes as they are."""
    if body.kind != "json":
        return None
    try:
        return _text(json.loads(body.content))
    except (ValueError, RecursionError):
        return None


def _werkzeug() -> Reader:
    from werkzeug.exceptions import HTTPException
    from werkzeug.wrappers import Request

    def read(body: Body) -> Values | None:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": body.content_type.decode("latin-1"),
            "CONTENT_LENGTH": str(len(body.content)),
            "wsgi.input": io.BytesIO(body.content),
        }
        request = Request(environ)
        try:
            if body.kind == "json":
                return _text(request.get_json(force=True))
            return [*request.form.getlist("model"), *([FILE] * len(request.files.getlist("model")))]
        except (HTTPException, ValueError, RecursionError):
            return None

    return read


def _python_multipart() -> Reader:
    from python_multipart import parse_form
    from python_multipart.exceptions import FormParserError

    def read(body: Body) -> Values | None:
        if body.kind != "multipart":
            # Of a form it gives what is still encoded; Starlette decodes it.
            return None
        found: Values = []

        def field(each: Any) -> None:
            if each.field_name == b"model":
                found.append((each.value or b"").decode("utf-8", "replace"))

        def file(each: Any) -> None:
            if each.field_name == b"model":
                found.append(FILE)

        headers: dict[str, Any] = {"Content-Type": body.content_type, "Content-Length": str(len(body.content)).encode()}
        try:
            parse_form(headers, io.BytesIO(body.content), field, file)
        except (FormParserError, ValueError):
            return None
        return found

    return read


def _starlette() -> Reader:
    from starlette.exceptions import HTTPException
    from starlette.formparsers import MultiPartException
    from starlette.requests import Request

    loop = asyncio.new_event_loop()

    async def ask(body: Body) -> Values | None:
        async def receive() -> Any:
            return {"type": "http.request", "body": body.content, "more_body": False}

        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", body.content_type)], "path": "/"}
        request = Request(scope, receive)
        if body.kind == "json":
            return _text(await request.json())
        async with request.form() as form:
            return [each if isinstance(each, str) else FILE for each in form.getlist("model")]

    def read(body: Body) -> Values | None:
        try:
            return loop.run_until_complete(ask(body))
        except (HTTPException, MultiPartException, ValueError, RecursionError, AssertionError):
            return None

    return read


def _django() -> Reader:
    from django.conf import settings
    from django.core.exceptions import BadRequest, SuspiciousOperation
    from django.core.handlers.wsgi import WSGIRequest
    from django.http.multipartparser import MultiPartParserError

    if not settings.configured:
        settings.configure(DEFAULT_CHARSET="utf-8")

    def read(body: Body) -> Values | None:
        if body.kind == "json":
            return None
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST",
            "CONTENT_TYPE": body.content_type.decode("latin-1"),
            "CONTENT_LENGTH": str(len(body.content)),
            "wsgi.input": io.BytesIO(body.content),
        }
        try:
            request = WSGIRequest(environ)
            return [*request.POST.getlist("model"), *([FILE] * len(request.FILES.getlist("model")))]
        except (BadRequest, SuspiciousOperation, MultiPartParserError, ValueError, LookupError):
            return None

    return read


# -- readers in other languages, which are given all bodies at once


def others(install: bool = False) -> dict[str, Callable[[Iterable[Body]], list[Values | None]]]:
    """
    By name; those that cannot be built on this machine are left out.

    @param install: get from npm what Node needs, if it is not there.
    """
    found: dict[str, Callable[[Iterable[Body]], list[Values | None]]] = {}
    go = _go()
    if go is not None:
        found["go"] = lambda bodies: _piped([str(go)], bodies)
    busboy = _busboy(install)
    if busboy is not None:
        found["node"] = lambda bodies: _piped(["node", str(HERE / "node.cjs"), str(busboy)], bodies)
    return found


def _cache() -> Path:
    path = Path(tempfile.gettempdir()) / "llmproxy-differential"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def _go() -> Path | None:
    command = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if command is None:
        return None
    program = _cache() / "reader"
    built = subprocess.run(
        [command, "build", "-o", str(program), str(HERE / "reader.go")], cwd=_cache(), capture_output=True, timeout=300
    )
    return program if built.returncode == 0 else None


def _busboy(install: bool) -> Path | None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    package = _cache() / "node_modules" / "busboy"
    if install and not package.exists():
        command = ["npm", "install", "--no-save", "--prefix", str(_cache()), "busboy@1.6.0"]
        subprocess.run(command, capture_output=True, timeout=300)
    return package if package.exists() else None


def _piped(command: list[str], bodies: Iterable[Body]) -> list[Values | None]:
    lines = [
        json.dumps([each.kind, each.content_type.decode("latin-1"), base64.b64encode(each.content).decode()])
        for each in bodies
    ]
    done = subprocess.run(
        command, input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=600, check=True
    )
    answers: list[Values | None] = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(lines), (command, len(answers), done.stderr[-500:])
    return answers
