"""Captured content: what is kept of the bytes of an exchange, and what an event says of them; pure."""
