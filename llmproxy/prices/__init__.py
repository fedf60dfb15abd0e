"""Prices: the book of what providers ask for, and what a configuration says beside it."""
