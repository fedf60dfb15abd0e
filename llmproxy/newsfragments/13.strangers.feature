Rules of `usage_limits` with `unauthenticated: true` limit requests without a good token by their address.
