The management API answers OPTIONS with Allow, refuses query parameters that it does not know, and says errors as RFC 9457 to clients that accept application/problem+json.
