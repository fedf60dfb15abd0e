"""C{/manage}: projects, tokens, and who may change them."""

from __future__ import annotations

from .resource import manage_resource

__all__ = ["manage_resource"]
