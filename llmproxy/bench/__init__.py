"""
The measuring tool: load from processes of its own, a fast upstream, and a report that compares.

Nothing here uses Twisted: a tool that measures an event loop must not be slowed down by the same one.
"""
