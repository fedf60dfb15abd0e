HTTP/2 is spoken by a state machine of the proxy's own, and passes all tests of h2spec, the strict ones too (before: 132 of 146). `txllmproxy[http2]` needs `hpack` alone.
