"""The OpenAPI 3.1 document, made of the values that requests are found and checked by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, get_args, get_origin

import msgspec

from ... import __version__
from ...core.roles import roles_with
from ..jsonresource import ErrorBody, ProblemDetails
from ..operations import Operation, Routes

PREFIX = "/manage"

_REF = "#/components/schemas/{name}"
_ANY_TIME = (400, 401, 403, 408, 414, 429, 431, 500, 503)
"""
What every operation may answer: to its parameters, its caller, the state of the proxy, and, before any operation is
known, to a target or head that is too long or does not come in time (C{limits} of the configuration).
"""

_DESCRIPTION = """Projects, tokens, and what belongs to them.

Every path answers HEAD like GET, and OPTIONS with Allow. Errors are application/json, or application/problem+json
(RFC 9457) where Accept names it. Nothing may be kept by a cache."""


def document(*tables: Routes) -> dict[str, Any]:
    """
    The document of all these operations.

    @raise TypeError: a type that msgspec does not know.
    """
    operations = {
        (path, method): operation
        for table in tables
        for path, methods in table.items()
        for method, operation in methods.items()
    }
    schemas = _Schemas(operations.values())
    paths: dict[str, Any] = {}
    for (path, method), operation in operations.items():
        said = _operation(path, method, operation, schemas)
        paths.setdefault(PREFIX + path, {})[method.decode().lower()] = said
    return {
        "openapi": "3.1.0",
        "info": {"title": "llmproxy management", "version": __version__, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {"management": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"management": []}],
    }


class _Schemas:
    """Of every type that an operation names."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        types: dict[Any, None] = {ErrorBody: None, ProblemDetails: None}
        for operation in operations:
            types |= dict.fromkeys(each for each in (operation.body, operation.answer) if each is not None)
        found, self.components = msgspec.json.schema_components(types, ref_template=_REF)
        self._found = dict(zip(types, found, strict=True))
        for each in types:
            self._require(each)
        for schema in self.components.values():
            if "description" in schema:
                schema["description"] = _plain(schema["description"])

    def of(self, what: Any) -> dict[str, Any]:
        return self._found[what]

    def _require(self, what: Any) -> None:
        if get_origin(what) is list:
            what = get_args(what)[0]
        # The members that are reported missing in words of our own, see bodies.
        required = getattr(what, "required", ())
        if required:
            schema = self.components[what.__name__]
            schema["required"] = list(required)
            for name in required:
                schema["properties"][name].pop("default", None)


def _plain(docstring: str) -> str:
    """Without Epytext's marks, and without what is for those who read the source."""
    return re.sub(r"[A-Z]\{([^{}]*)\}", r"\1", docstring.partition("@")[0]).strip()


def _operation(path: str, method: bytes, operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    said: dict[str, Any] = {
        "operationId": operation.action.replace(".", "_"),
        "summary": operation.summary,
        "tags": [path.split("/")[1]],
        "parameters": [*_names(path), *_query(operation.query), *_fields(method, operation)],
        "responses": _responses(path, method, operation, schemas),
        "x-permission": operation.needs,
        "x-roles": list(roles_with(operation.needs)),
    }
    if operation.body is not None:
        content = {"application/json": {"schema": schemas.of(operation.body)}}
        said["requestBody"] = {"required": not operation.may_be_empty, "content": content}
    return said


def _names(path: str) -> list[dict[str, Any]]:
    schema = {"type": "string", "minLength": 1, "maxLength": 64}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in re.findall(r"\{(\w+)\}", path)]


def _query(query: type[msgspec.Struct]) -> list[dict[str, Any]]:
    _, components = msgspec.json.schema_components((query,), ref_template=_REF)
    schema = components[query.__name__]
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": each}
        for name, each in schema["properties"].items()
    ]


def _fields(method: bytes, operation: Operation) -> list[dict[str, Any]]:
    known = []
    if method == b"POST":
        known.append(("Idempotency-Key", "A call that is repeated with the same key within a day is made once.", 255))
    if operation.conditional:
        known.append(("If-Match", "The ETag of what is to be changed; if it is another by now, nothing is.", 1024))
    return [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": description,
            "schema": {"type": "string", "minLength": 1, "maxLength": longest, "pattern": "^[!-~]*$"},
        }
        for name, description, longest in known
    ]


def _responses(path: str, method: bytes, operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    success: dict[str, Any] = {"description": operation.summary}
    content = {kind: {"schema": {"type": "string"}} for kind in operation.streams}
    if operation.answer is not None:
        content = {"application/json": {"schema": schemas.of(operation.answer)}, **content}
    if content:
        success["content"] = content
    headers = {name: {"schema": {"type": "string"}} for name in _answer_fields(method, operation)}
    if headers:
        success["headers"] = headers
    status = operation.status if content else 204
    return {str(status): success} | {str(each): _error(each, schemas) for each in _statuses(path, method, operation)}


def _answer_fields(method: bytes, operation: Operation) -> list[str]:
    named = {
        "ETag": operation.versioned,
        "Link": operation.paged,
        "Idempotency-Replayed": method == b"POST",
    }
    return [name for name, there in named.items() if there]


def _statuses(path: str, method: bytes, operation: Operation) -> list[int]:
    found = {*_ANY_TIME, *(error.status for error in operation.errors)}
    if "{" in path:
        found.add(404)
    if operation.body is not None:
        found |= {413, 415, 422}
    if method == b"POST":
        found |= {409, 422}
    if operation.conditional:
        found.add(412)
    return sorted(found)


def _error(status: int, schemas: _Schemas) -> dict[str, Any]:
    content: Mapping[str, Any] = {
        "application/json": {"schema": schemas.of(ErrorBody)},
        "application/problem+json": {"schema": schemas.of(ProblemDetails)},
    }
    said: dict[str, Any] = {"description": HTTPStatus(status).phrase, "content": content}
    field = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}.get(status)
    if field is not None:
        said["headers"] = {field: {"schema": {"type": "string"}}}
    return said
