"""The management API, with the reference's routes, bodies and codes."""

from .resource import manage_resource

__all__ = ["manage_resource"]
