"""Redaction of captured content, before anybody sees it: by a place, a look or a name; pure."""
