Access tokens of an identity provider (`audiences` of `identity:`) are taken wherever a token is, at the management API too: verified once, never
sent upstream, and worth nothing from the moment that their owner is revoked.
