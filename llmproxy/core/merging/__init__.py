"""Streams merged into the answers that plain calls would have given; pure."""

from __future__ import annotations

from .merge import STREAMS, Merged, merged, merged_array

__all__ = ["STREAMS", "Merged", "merged", "merged_array"]
