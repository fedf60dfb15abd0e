"""
Requests that the management API accepts.

The types are what the document shows. Where the reference has words of its own for what is wrong, the type only shows
the limit, and L{llmproxy.management} checks it; likewise which members are required, for what is missing is said in
its order.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

from msgspec import UNSET, Meta, Struct, UnsetType

from ...management.checks import (
    ADMIN_NAME,
    MAX_ADMIN_MINUTES,
    MAX_API_KEY,
    MAX_MINUTES,
    MAX_NAME,
    MAX_OVERLAP,
    MAX_REQUESTS,
)
from ...message import Role
from .limits import LimitChange, LimitFields

MAX_APIS = 64
MAX_API_KEYS = 32
"""For one API."""

OVERLAP = 3600

_END = r"$(?!\n)"
"""The end, in the expressions of JSON Schema and of Python alike: Python's C{$} allows for one more line feed."""

_ONE_LINE = r"^[^\x00-\x1f\x7f]*" + _END


def _shown(**limits: Any) -> Meta:
    """Limits that the document shows, and that the rules check, with other words."""
    return Meta(extra_json_schema=limits)


Name = Annotated[str, Meta(max_length=MAX_NAME, pattern=_ONE_LINE)]
Id = Annotated[str, Meta(max_length=64, pattern=_ONE_LINE)]
ApiKey = Annotated[str, Meta(max_length=MAX_API_KEY, pattern=r"^[\x21-\x7e]*" + _END)]
UsableKey = Annotated[str, Meta(min_length=1, max_length=MAX_API_KEY, pattern=r"^[\x21-\x7e]*" + _END)]
UsableKeys = UsableKey | Annotated[list[UsableKey], Meta(min_length=1, max_length=MAX_API_KEYS)]
ApiName = Annotated[str, Meta(min_length=1, max_length=64)]
KeysByApi = Annotated[
    dict[ApiName, UsableKeys],
    Meta(max_length=MAX_APIS, description="By the name of the API that they are for, each one key or a list."),
]
KeysByApiOrNone = Annotated[
    dict[ApiName, UsableKeys | None],
    Meta(max_length=MAX_APIS, description="Those for APIs that are not named stay; null removes."),
]
Minutes = Annotated[int, _shown(minimum=1, maximum=MAX_MINUTES)]
Requests = Annotated[int, _shown(minimum=0, maximum=MAX_REQUESTS), Meta(description="0 is without limit.")]
Moment = Annotated[datetime, Meta(tz=True, description="In the future, by a year at most.")]
Metadata = Annotated[
    dict[
        Annotated[str, Meta(min_length=1, max_length=64, pattern=_ONE_LINE)],
        Annotated[str, Meta(max_length=256, pattern=_ONE_LINE)],
    ],
    Meta(max_length=16, description="Replaces what was noted before."),
]


class NewProject(LimitFields, forbid_unknown_fields=True):
    """C{api_key} is that for the default API; it may be left out where C{api_keys} is given, empty or not."""

    required: ClassVar[tuple[str, ...]] = ("name",)

    name: Annotated[Name, _shown(minLength=1)] = ""
    api_key: Annotated[ApiKey, _shown(minLength=1)] = ""
    api_keys: KeysByApi | UnsetType = UNSET


class ProjectChange(LimitChange, forbid_unknown_fields=True):
    """C{None} is the same as not given, as in the reference, but for limits; an empty C{api_key} too."""

    name: Annotated[Name, _shown(minLength=1)] | None = None
    api_key: ApiKey | None = None
    api_keys: KeysByApiOrNone | None = None
    is_active: bool | None = None
    revoke_tokens: Annotated[bool, Meta(description="Only with is_active: false.")] | None = None


class NewKey(Struct, forbid_unknown_fields=True):
    api_key: UsableKeys
    api: Annotated[ApiName, Meta(description="Without it, the default API.")] | UnsetType = UNSET


class NewToken(LimitFields, forbid_unknown_fields=True):
    required: ClassVar[tuple[str, ...]] = ("project_id", "duration_minutes")

    project_id: Annotated[Id, _shown(minLength=1)] = ""
    duration_minutes: Minutes = 0
    max_requests: Requests | None = None
    name: Name | None = None
    metadata: Metadata | None = None


class TokenChange(LimitChange, forbid_unknown_fields=True):
    """
    C{None} is the same as not given for what the reference knows; it takes a name, metadata and a limit away.
    """

    is_active: bool | None = None
    max_requests: Requests | None = None
    expires_at: Moment | UnsetType = UNSET
    name: Name | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class Rotation(Struct, forbid_unknown_fields=True):
    overlap_seconds: Annotated[
        int, Meta(ge=0, le=MAX_OVERLAP, description="How long the present secret stays good; 0 ends it at once.")
    ] = OVERLAP
    duration_minutes: (
        Annotated[int, Meta(ge=1, le=MAX_MINUTES, description="From now; without it the token expires as before.")]
        | UnsetType
    ) = UNSET


class TokenSecret(Struct, forbid_unknown_fields=True):
    """A token by what its holder has, or by its SHA-256 in hexadecimal: one of both."""

    token: Annotated[str, Meta(max_length=256, description="The secret itself, as it was found.")] = ""
    hash: Annotated[
        str, Meta(max_length=64, pattern=r"^([0-9A-Fa-f]{64})?" + _END, description="SHA-256 of the secret.")
    ] = ""


class NewAdmin(Struct, forbid_unknown_fields=True):
    name: Annotated[str, Meta(pattern=ADMIN_NAME)]
    role: Role
    duration_minutes: (
        Annotated[int, Meta(ge=1, le=MAX_ADMIN_MINUTES, description="Without it, until it is revoked.")] | UnsetType
    ) = UNSET
