`limits.connections` answers clients that are too many with 503 and `Retry-After`, 32 at a time, where it reset every one of them.
