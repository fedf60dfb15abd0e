"""Limits of usage: what is stated, what holds for a request, and how it is counted."""
