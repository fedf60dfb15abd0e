"""Databases of the Go original, with what its programs write into them."""

from __future__ import annotations

import os
import sqlite3
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from llmproxy.core.tokens import token_hash

KEY = bytes(range(100, 132))
"""Its encryption key."""

UPSTREAM_KEY = "sk-proj-canary-of-the-original-0001"
PLAIN, HASHED = "sk-AAAAAAAAAAAAAAAAAAAAAA", "sk-BBBBBBBBBBBBBBBBBBBBBB"
"""Tokens that clients have: one is kept in clear, one as its hash."""

PROJECTS = """\
CREATE TABLE projects (
    id {text} PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE, {key} TEXT NOT NULL,
    is_active BOOLEAN NOT NULL DEFAULT TRUE, deactivated_at {moment} NULL,
    created_at {moment} NOT NULL DEFAULT CURRENT_TIMESTAMP, updated_at {moment} NOT NULL DEFAULT CURRENT_TIMESTAMP
)"""
TOKENS = """\
CREATE TABLE tokens (
    id {uuid} PRIMARY KEY, token {text} NOT NULL UNIQUE, project_id {text} NOT NULL REFERENCES projects(id),
    expires_at {moment} NULL, is_active BOOLEAN NOT NULL DEFAULT TRUE, deactivated_at {moment} NULL,
    request_count INTEGER NOT NULL DEFAULT 0, max_requests INTEGER, created_at {moment} NOT NULL
    DEFAULT CURRENT_TIMESTAMP, last_used_at {moment} NULL, cache_hit_count INTEGER NOT NULL DEFAULT 0
)"""
FIRST_TOKENS = """\
CREATE TABLE tokens (
    token {text} PRIMARY KEY, project_id {text} NOT NULL REFERENCES projects(id), expires_at {moment} NULL,
    is_active BOOLEAN NOT NULL DEFAULT TRUE, request_count INTEGER NOT NULL DEFAULT 0, max_requests INTEGER,
    created_at {moment} NOT NULL DEFAULT CURRENT_TIMESTAMP, last_used_at {moment} NULL
)"""
AUDIT = """\
CREATE TABLE audit_events (
    id {text} PRIMARY KEY, timestamp {moment} NOT NULL, action VARCHAR(255) NOT NULL, actor VARCHAR(255) NOT NULL,
    project_id {text}, request_id {text}, correlation_id {text}, client_ip VARCHAR(45), method VARCHAR(10), path TEXT,
    user_agent TEXT, outcome VARCHAR(20) NOT NULL CHECK (outcome IN ('success', 'failure', 'denied', 'error')),
    reason TEXT, token_id {text}, metadata TEXT
)"""
TYPES = {
    "sqlite": {"text": "TEXT", "moment": "DATETIME", "uuid": "TEXT", "key": "api_key"},
    "postgresql": {"text": "TEXT", "moment": "TIMESTAMP", "uuid": "UUID", "key": "api_key"},
    "mysql": {"text": "VARCHAR(191)", "moment": "DATETIME(6)", "uuid": "CHAR(36)", "key": "api_key"},
}
FIRST = "2026-01-02 03:04:05.678901+00:00"
LATER = (datetime.now(timezone.utc) + timedelta(days=30)).strftime("%Y-%m-%d %H:%M:%S")
"""Without an offset, as SQLite's C{CURRENT_TIMESTAMP} is."""


def schema(kind: str, first: bool = False) -> list[str]:
    """@param first: of its first release."""
    types = TYPES[kind] | ({"key": "openai_api_key"} if first else {})
    return [each.format(**types) for each in (PROJECTS, FIRST_TOKENS if first else TOKENS, AUDIT)]


def sealed(text: str, key: bytes = KEY) -> str:
    nonce = os.urandom(12)
    return "enc:v1:" + b64encode(nonce + AESGCM(key).encrypt(nonce, text.encode(), None)).decode()


def uuid(number: int) -> str:
    return f"01900000-0000-7000-8000-{number:012}"


Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def rows() -> Rows:
    """One of each kind that is moved."""
    made = {"created_at": FIRST}
    return {
        "projects": [
            {"id": uuid(1), "name": "sealed", "api_key": sealed(UPSTREAM_KEY), **made},
            {"id": uuid(2), "name": "日本 é 🎉", "api_key": "sk-ant-canary-in-clear", **made},
            {"id": uuid(3), "name": "over", "api_key": "", "is_active": False, "deactivated_at": FIRST, **made},
        ],
        "tokens": [
            {"id": uuid(11), "token": PLAIN, "project_id": uuid(1), "expires_at": LATER, **made},
            {
                "id": uuid(12),
                "token": token_hash(HASHED.encode()),
                "project_id": uuid(1),
                "request_count": 7,
                "max_requests": 9,
                "cache_hit_count": 3,
                "last_used_at": FIRST,
                **made,
            },
            {"id": uuid(13), "token": "13".zfill(64), "project_id": uuid(2), "is_active": False, **made},
            {"id": uuid(14), "token": "14".zfill(64), "project_id": uuid(3), "expires_at": FIRST, **made},
        ],
        "audit_events": [
            {
                "id": uuid(21),
                "timestamp": FIRST,
                "action": "token.create",
                "actor": "management_api",
                "project_id": uuid(1),
                "client_ip": "192.0.2.1",
                "outcome": "success",
                "metadata": '{"http_method":"POST","n":1}',
            }
        ],
    }


def insert(table: str, row: Mapping[str, Any], mark: str = ":{0}") -> str:
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(map(mark.format, row))})"


def make(path: str, filling: Rows, first: bool = False) -> None:
    """An SQLite database, in WAL mode as the original has it."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    for statement in schema("sqlite", first):
        connection.execute(statement)
    for table, each in filling.items():
        for row in each:
            connection.execute(insert(table, row), dict(row))
    connection.commit()
    connection.close()
