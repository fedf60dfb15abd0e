"""Readers of request bodies: each accepts only what every server behind the proxy reads in the same way."""
