"""llmproxy: a transparent, event-driven reverse proxy for LLM APIs, on Twisted."""

__version__ = "0.1.0"
