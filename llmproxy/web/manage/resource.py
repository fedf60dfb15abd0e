"""C{/manage/projects} and C{/manage/tokens}."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from datetime import datetime, timezone
from hashlib import sha256
from typing import Annotated, Any
from uuid import uuid4

from attrs import frozen
from msgspec import UNSET, Meta, Struct, UnsetType
from twisted.web.resource import Resource

from ...core.tokens import generate, hint, token_hash
from ...message import Project, Token
from ..jsonresource import Answer, ApiFault, JsonResource, read_json

MOST_MINUTES = 525_600

Name = Annotated[str, Meta(max_length=255)]
Key = Annotated[str, Meta(max_length=4096)]


class NewProject(Struct, forbid_unknown_fields=True):
    name: Name = ""
    api_key: Key = ""


class ProjectChange(Struct, forbid_unknown_fields=True):
    name: Name | UnsetType = UNSET
    api_key: Key | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET
    revoke_tokens: bool = False


class NewToken(Struct, forbid_unknown_fields=True):
    project_id: str = ""
    duration_minutes: int = 0
    max_requests: int | None = None


class TokenChange(Struct, forbid_unknown_fields=True):
    is_active: bool | UnsetType = UNSET
    max_requests: int | UnsetType | None = UNSET


@frozen
class Management:
    """
    What the resources work on.

    @ivar token_digest: SHA-256 of the management token.
    """

    clock: Any
    projects: Any
    tokens: Any
    directory: Any
    quota: Any
    token_digest: bytes


def manage_resource(
    *, clock: Any, projects: Any, tokens: Any, directory: Any, quota: Any, management_token: str
) -> Resource:
    """The tree below C{/manage}. Every change is effective before it is acknowledged."""
    management = Management(clock, projects, tokens, directory, quota, sha256(management_token.encode()).digest())
    root = Resource()
    root.putChild(b"projects", _Tree(Projects(management), lambda rest: _project_resource(management, rest)))
    root.putChild(b"tokens", _Tree(Tokens(management), lambda rest: _token_resource(management, rest)))
    return root


class _Tree(Resource):
    """A collection, and its members below it."""

    isLeaf = True

    def __init__(self, collection: JsonResource, member: Callable[[list[str]], JsonResource]) -> None:
        super().__init__()
        self._collection = collection
        self._member = member

    def render(self, request: Any) -> Any:
        rest = [segment.decode("latin-1") for segment in request.postpath]
        return (self._member(rest) if rest else self._collection).render(request)


class _Managed(JsonResource):
    def __init__(self, management: Management) -> None:
        super().__init__()
        self._m = management

    def admit(self, request: Any) -> None:
        scheme, _, token = (request.getHeader(b"authorization") or b"").partition(b" ")
        token = token.strip()
        challenge = [("WWW-Authenticate", 'Bearer realm="llmproxy management"')]
        if scheme.lower() != b"bearer" or not token:
            raise ApiFault(401, "missing or invalid Authorization header", "unauthorized", fields=challenge)
        if not hmac.compare_digest(sha256(token).digest(), self._m.token_digest):
            raise ApiFault(401, "invalid management token", "unauthorized", fields=challenge)

    def now(self) -> float:
        now: float = self._m.clock.seconds()
        return now


class _Missing(_Managed):
    def __init__(self, management: Management, status: int, error: str) -> None:
        super().__init__(management)
        self._fault = (status, error)

    def admit(self, request: Any) -> None:
        super().admit(request)
        raise ApiFault(*self._fault)


class Projects(_Managed):
    async def on_GET(self, request: Any) -> Any:
        return [shown_project(project) for project in await self._m.projects.list()]

    async def on_POST(self, request: Any) -> Any:
        new = read_json(request, NewProject)
        if not new.name.strip() or not new.api_key:
            raise ApiFault(400, "name and api_key are required", "invalid_request")
        _check_text(new.name)
        _check_key(new.api_key)
        now = self.now()
        project = Project(str(uuid4()), new.name, new.api_key, created_at=now, updated_at=now)
        try:
            await self._m.projects.create(project)
        except Exception as error:
            raise _duplicate(error) from None
        return Answer(201, shown_project(project), Location=f"/manage/projects/{project.id}")


class ProjectResource(_Managed):
    def __init__(self, management: Management, project_id: str) -> None:
        super().__init__(management)
        self._id = project_id

    async def on_GET(self, request: Any) -> Any:
        return shown_project(await self._found())

    async def on_PATCH(self, request: Any) -> Any:
        change = read_json(request, ProjectChange)
        if change.revoke_tokens and change.is_active is not False:
            raise ApiFault(400, "revoke_tokens requires is_active=false", "invalid_request")
        name = None if change.name is UNSET else change.name
        if name is not None:
            if not name.strip():
                raise ApiFault(400, "name must not be empty", "invalid_request")
            _check_text(name)
        key = None if change.api_key is UNSET or not change.api_key else change.api_key
        if key is not None:
            _check_key(key)
        active = None if change.is_active is UNSET else change.is_active
        await self._found()
        try:
            project = await self._m.projects.update(self._id, now=self.now(), name=name, api_key=key, is_active=active)
        except Exception as error:
            raise _duplicate(error) from None
        if change.revoke_tokens:
            await self._m.tokens.revoke_project(self._id, now=self.now())
            self._m.directory.tokens_revoked(self._id)
        self._m.directory.project_changed(project)
        return shown_project(project)

    async def on_DELETE(self, request: Any) -> Any:
        raise ApiFault(
            405,
            "method not allowed",
            "method_not_allowed",
            fields=[("Allow", "GET, HEAD, PATCH")],
            message="project deletion is not permitted",
        )

    async def _found(self) -> Project:
        project: Project | None = await self._m.projects.get(self._id)
        if project is None:
            raise ApiFault(404, "project not found", "project_not_found")
        return project


class Revocation(ProjectResource):
    on_GET = on_PATCH = on_DELETE = None  # type: ignore[assignment]

    def allowed(self) -> list[str]:
        return ["POST"]

    async def on_POST(self, request: Any) -> Any:
        await self._found()
        revoked, total = await self._m.tokens.revoke_project(self._id, now=self.now())
        self._m.directory.tokens_revoked(self._id)
        return {"revoked_count": revoked, "already_revoked_count": total - revoked, "total_tokens": total}


class Tokens(_Managed):
    async def on_GET(self, request: Any) -> Any:
        await self._m.quota.flush()
        _, _, query = request.uri.partition(b"?")
        project_id = next((part[10:].decode() for part in query.split(b"&") if part.startswith(b"projectId=")), None)
        return [shown_token(token) for token in await self._m.tokens.list(project_id)]

    async def on_POST(self, request: Any) -> Any:
        new = read_json(request, NewToken)
        if new.duration_minutes > MOST_MINUTES:
            raise ApiFault(400, "duration_minutes exceeds maximum allowed", "invalid_request")
        if new.duration_minutes <= 0:
            raise ApiFault(400, "project_id and duration_minutes are required", "invalid_request")
        if not new.project_id:
            raise ApiFault(400, "project_id is required", "invalid_request")
        limit = _limit(new.max_requests)
        project = await self._m.projects.get(new.project_id)
        if project is None:
            raise ApiFault(404, "project not found", "project_not_found")
        if not project.is_active:
            raise ApiFault(403, "cannot create tokens for inactive projects", "project_inactive")
        secret, now = generate(os.urandom), self.now()
        token = Token(
            id=str(uuid4()),
            token_hash=token_hash(secret.encode()),
            hint=hint(secret),
            project_id=project.id,
            expires_at=now + new.duration_minutes * 60.0,
            max_requests=limit,
            created_at=now,
        )
        await self._m.tokens.create(token)
        self._m.directory.token_changed(token)
        shown: dict[str, Any] = {"id": token.id, "token": secret, "expires_at": when(token.expires_at)}
        if limit is not None:
            shown["max_requests"] = limit
        return Answer(201, shown, Location=f"/manage/tokens/{token.id}")


class TokenResource(_Managed):
    def __init__(self, management: Management, token_id: str) -> None:
        super().__init__(management)
        self._id = token_id

    async def on_GET(self, request: Any) -> Any:
        await self._m.quota.flush()
        return shown_token(await self._found())

    async def on_PATCH(self, request: Any) -> Any:
        change = read_json(request, TokenChange)
        if change.is_active is UNSET and change.max_requests is UNSET:
            raise ApiFault(400, "no fields to update", "invalid_request")
        limited = change.max_requests is not UNSET
        limit = None if change.max_requests is UNSET else _limit(change.max_requests)
        active = None if change.is_active is UNSET else change.is_active
        return shown_token(await self._update(active, limit, limited and limit is None))

    async def on_DELETE(self, request: Any) -> Any:
        await self._update(False, None, False)
        return Answer(204)

    async def _update(self, active: bool | None, limit: int | None, unlimited: bool) -> Token:
        if limit is not None or unlimited:
            await self._m.quota.limits_changed(self._id)
        token: Token | None = await self._m.tokens.update(
            self._id, now=self.now(), is_active=active, max_requests=limit, unlimited=unlimited
        )
        if token is None:
            raise ApiFault(404, "token not found", "token_not_found")
        self._m.directory.token_changed(token)
        if limit is not None or unlimited:
            # What was leased while the limit changed was leased under the old one.
            await self._m.quota.limits_changed(self._id)
        return token

    async def _found(self) -> Token:
        token: Token | None = await self._m.tokens.get(self._id)
        if token is None:
            raise ApiFault(404, "token not found", "token_not_found")
        return token


def _project_resource(management: Management, rest: list[str]) -> JsonResource:
    if len(rest) == 1 and rest[0]:
        return ProjectResource(management, rest[0])
    if len(rest) == 3 and rest[0] and rest[1:] == ["tokens", "revoke"]:
        return Revocation(management, rest[0])
    return _Missing(management, 400, "invalid project id")


def _token_resource(management: Management, rest: list[str]) -> JsonResource:
    if len(rest) == 1 and rest[0]:
        return TokenResource(management, rest[0])
    return _Missing(management, 400, "token ID is required")


def shown_project(project: Project) -> dict[str, Any]:
    """A project as the API shows it: its key only so far that one can tell it from another."""
    shown: dict[str, Any] = {
        "id": project.id,
        "name": project.name,
        "api_key": obscured(project.api_key),
        "is_active": project.is_active,
        "created_at": when(project.created_at),
        "updated_at": when(project.updated_at),
    }
    if project.deactivated_at is not None:
        shown["deactivated_at"] = when(project.deactivated_at)
    return shown


def shown_token(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "token": token.hint,
        "project_id": token.project_id,
        "expires_at": when(token.expires_at),
        "is_active": token.is_active,
        "request_count": token.request_count,
        "max_requests": token.max_requests,
        "created_at": when(token.created_at),
        "last_used_at": when(token.last_used_at),
        "cache_hit_count": token.cache_hit_count,
    }


def obscured(key: str) -> str:
    """The reference's form of a key that is shown: its two ends, if there is enough between them."""
    return f"{key[:8]}...{key[-4:]}" if len(key) >= 24 else "****"


def when(moment: float | None) -> str | None:
    """RFC 3339, UTC."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _limit(value: int | None) -> int | None:
    if value is not None and value < 0:
        raise ApiFault(400, "max_requests must be >= 0", "invalid_request")
    if value is not None and value > 2**53:
        raise ApiFault(400, "max_requests is too large", "invalid_request")
    return value or None


def _check_key(key: str) -> None:
    if "..." in key or "****" in key:
        raise ApiFault(400, "cannot save obfuscated API key - please provide the full API key", "invalid_request")
    if not key.isascii() or not key.isprintable() or key.strip() != key:
        raise ApiFault(400, "api_key must be printable ASCII without surrounding spaces", "invalid_request")


def _check_text(text: str) -> None:
    if not text.isprintable():
        raise ApiFault(400, "name must not hold control characters", "invalid_request")


def _duplicate(error: Exception) -> Exception:
    # The store's own class is a sibling's, and named the same everywhere.
    if type(error).__name__ == "DuplicateName":
        return ApiFault(409, "a project with this name exists already", "duplicate_name")
    return error
