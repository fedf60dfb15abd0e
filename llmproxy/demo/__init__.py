"""A small upstream without a model: OpenAI-shaped and Anthropic-shaped, deterministic, for trying the proxy out."""

from .resource import DemoUpstream

__all__ = ["DemoUpstream"]
