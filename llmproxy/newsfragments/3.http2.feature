HTTP/2 is offered over TLS where `txllmproxy[http2]` is installed: uploads stream, limits and refusals are those of HTTP/1.1, trailers and interim responses pass.
