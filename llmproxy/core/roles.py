"""Roles of the management API and their permissions: one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from ..message import Role

ROLES: tuple[Role, ...] = get_args(Role)

PERMISSIONS: Mapping[str, frozenset[Role]] = {
    "project.read": frozenset({"owner", "operator", "auditor"}),
    "project.write": frozenset({"owner", "operator"}),
    "token.read": frozenset({"owner", "operator", "auditor"}),
    "token.write": frozenset({"owner", "operator"}),
    "person.read": frozenset({"owner", "operator", "auditor"}),
    "person.write": frozenset({"owner", "operator"}),
    # All that is known of somebody, given out or taken away.
    "person.data": frozenset({"owner"}),
    "breaker.read": frozenset({"owner", "operator", "auditor"}),
    "cache.read": frozenset({"owner", "operator", "auditor"}),
    "cache.purge": frozenset({"owner", "operator"}),
    "upstream.read": frozenset({"owner", "operator", "auditor"}),
    "upstream.drain": frozenset({"owner", "operator"}),
    "sink.test": frozenset({"owner", "operator"}),
    "sink.redeliver": frozenset({"owner", "operator"}),
    "sink.read": frozenset({"owner", "operator", "auditor"}),
    "exchange.read": frozenset({"owner", "operator", "auditor"}),
    "exchange.cut": frozenset({"owner", "operator"}),
    "config.read": frozenset({"owner", "operator", "auditor"}),
    "config.reload": frozenset({"owner"}),
    "process.upgrade": frozenset({"owner"}),
    "usage.read": frozenset({"owner", "operator", "auditor"}),
    # Those who are watched do not look at what is known of them.
    "audit.read": frozenset({"owner", "auditor"}),
    "admin.read": frozenset({"owner", "auditor"}),
    "admin.write": frozenset({"owner"}),
    "live.read": frozenset({"owner", "operator", "auditor"}),
    "session.own": frozenset({"owner", "operator", "auditor"}),
    "document.read": frozenset({"owner", "operator", "auditor"}),
}
"""
By what an operation needs. An owner may do everything, an operator whatever keeps projects and tokens
going, an auditor look at everything and change nothing.
"""


def may(role: Role, permission: str) -> bool:
    """
    Whether it may.

    @raise KeyError: no such permission: nothing is allowed by a word that was misspelt.
    """
    return role in PERMISSIONS[permission]


def roles_with(permission: str) -> tuple[Role, ...]:
    """The roles that may, the most powerful first."""
    return tuple(role for role in ROLES if may(role, permission))
