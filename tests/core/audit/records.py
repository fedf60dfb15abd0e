"""Records for tests, and strategies that make them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from llmproxy.core.audit.chain import Chain, Linked
from llmproxy.core.audit.record import AuditRecord, audit_record
from llmproxy.core.masking import Masking

NOW = 1_700_000_000.25


def record(number: int = 1, action: str = "project.create", outcome: str = "success", **details: Any) -> AuditRecord:
    return audit_record(f"id-{number}", NOW + number, action, "management_api", outcome, details, Masking())


def chained(count: int, chain: str = "c") -> list[Linked]:
    return Chain(chain).linked(record(number) for number in range(count))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.characters(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
details = st.dictionaries(
    st.sampled_from(("project_id", "token_id", "client_ip", "http_method", "reason", "error", "name", "x\n", "é"))
    | st.text(max_size=8),
    values,
    max_size=6,
)
