"""Identity providers: what is asked of them, and what they say, verified."""
