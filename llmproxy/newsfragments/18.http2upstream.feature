`connection: {http2: true}` of an API offers HTTP/2 to its upstreams of `https://`: many requests share a connection. Off by default;
`docs/upstreams.md` says what changes. What upstream has refused unseen (`GOAWAY`, `REFUSED_STREAM`) is sent again, whatever its method.
