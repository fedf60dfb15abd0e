"""Answers of every dialect that tell their usage, and what is to be read in each."""

from __future__ import annotations

from .golden import JSON, NDJSON, SSE, Golden
from .openaianswers import OPENAI
from .vendoranswers import OTHERS

__all__ = ["GOLDEN", "JSON", "NDJSON", "SSE", "Golden"]

GOLDEN = {**OPENAI, **OTHERS}
